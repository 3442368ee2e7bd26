//! Connections that are held and not used.

use std::{
    io::{BufReader, Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::service::{Service, answer};

/// A connection that has been used once and could be again.
fn idle(service: &Service) -> TcpStream {
    let mut stream = service.connect();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(answer(&mut BufReader::new(&stream)).unwrap().status, 200);
    stream
}

/// Lets this process open as many files as the system lets it, which has to be enough for so many connections.
fn can_hold(connections: u64) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    assert!(
        maximum.is_none_or(|maximum| maximum >= connections + 500),
        "this test takes {connections} connections, and the hard limit on open files (ulimit -Hn) is {maximum:?}"
    );
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

/// What the service computes for 1000 honest clients: how long they wait besides is up to what else the machine does.
fn cpu_time_of_many(service: &Service) -> Duration {
    let before = service.cpu_time();
    (0..1000).for_each(|_| service.serves());
    service.cpu_time().saturating_sub(before)
}

#[test]
fn ten_thousand_idle_connections_cost_little_memory_and_honest_clients_are_served() {
    const MANY: u32 = 10_000;
    can_hold(MANY.into());
    let service = Service::start();
    let alone = cpu_time_of_many(&service);
    let before = service.memory();
    let held: Vec<_> = (0..MANY).map(|_| idle(&service)).collect();
    let each = service.memory().saturating_sub(before) / u64::from(MANY);
    println!("an idle connection takes {each} bytes");
    assert!(each < 32 * 1024, "{each} bytes for each connection");
    let beside = cpu_time_of_many(&service);
    println!("1000 answers take {alone:?} of a processor, and {beside:?} beside {MANY} of them");
    assert!(beside <= alone * 3, "{alone:?} alone, {beside:?} beside {MANY} of them");
    // They are still there, and good.
    for mut stream in held.into_iter().step_by(500) {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert_eq!(answer(&mut BufReader::new(&stream)).unwrap().status, 200);
    }
}

#[test]
fn when_most_connections_are_taken_idle_ones_make_room() {
    let service = Service::start_with(&[("AUTH__HTTP__CONNECTIONS", "40")]);
    let mut held: Vec<_> = (0..38).map(|_| idle(&service)).collect();
    // More than there is room for: they wait to be accepted, and are.
    let waiting: Vec<_> = (0..20).map(|_| service.connect()).collect();
    let served: Vec<_> = waiting
        .into_iter()
        .map(|mut stream| {
            thread::spawn(move || {
                stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
                answer(&mut BufReader::new(&stream)).unwrap().status
            })
        })
        .collect();
    assert!(served.into_iter().all(|one| one.join().unwrap() == 200));
    assert_eq!(held[0].read(&mut [0]).unwrap(), 0, "it was closed without a word");
}

#[test]
fn who_connects_and_says_nothing_is_told_so_and_let_go() {
    let service = Service::start();
    let silent: Vec<_> = (0..200).map(|_| service.connect()).collect();
    for stream in silent {
        assert_eq!(answer(&mut BufReader::new(&stream)).unwrap().status, 408);
    }
}
