//! Clients that keep the service busy, and one that does not.

use std::{io::Write, net::TcpStream, thread};

use uuid::Uuid;

use crate::service::{Answer, Service, answers};

const GREEDY: usize = 20;
/// The smallest there are, so that most of them fit into what is read at once.
const REQUEST: &str = "GET / HTTP/1.1\nHost:\n\n";
const LAST: &str = "GET / HTTP/1.1\nHost:\nConnection: close\n\n";

/// Sends `count` requests in one go.
fn send(stream: &mut TcpStream, count: usize) {
    stream.write_all((REQUEST.repeat(count - 1) + LAST).as_bytes()).unwrap();
}

/// Where a request came among all that the service has handled: it counts the names that it gives to those that it refuses.
fn place(answer: &Answer) -> u64 {
    let id = answer.head.lines().find_map(|line| line.strip_prefix("x-error-id: ")).unwrap();
    let (_, counted) = id.parse::<Uuid>().unwrap().as_u64_pair();
    // The first bits say which variant of UUID it is.
    counted & (u64::MAX >> 2)
}

fn places(mut stream: TcpStream) -> Vec<u64> {
    answers(&mut stream).iter().map(place).collect()
}

/// By how many places the requests of one client come after each other.
fn steps(places: &[u64]) -> Vec<u64> {
    places.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// Alone, a client gets all that one worker can do. Beside others, it gets its share of that, and not what they leave.
#[test]
fn who_asks_much_in_one_go_is_answered_in_turn_with_everybody_else() {
    let service = Service::start_on_one_processor();
    let mut alone = service.connect();
    send(&mut alone, 20);
    assert_eq!(steps(&places(alone)), [1; 19]);

    thread::scope(|scope| {
        let greedy = [(); GREEDY].map(|()| {
            let mut stream = service.connect();
            send(&mut stream, 2000);
            stream
        });
        // Each of them is being served by now.
        for stream in &greedy {
            assert_eq!(stream.peek(&mut [0]).unwrap(), 1);
        }
        let mut honest = service.connect();
        send(&mut honest, 20);
        let honest = places(honest);
        let greedy = greedy.map(|stream| scope.spawn(|| places(stream))).map(|places| places.join().unwrap());
        let still_asking = greedy.iter().filter(|places| places.last() > honest.last()).count();
        assert_eq!((honest.len(), still_asking), (20, GREEDY));
        let longest = *steps(&honest).iter().max().unwrap();
        println!("{longest} requests at most between two of one client, beside {GREEDY} clients who ask much");
        assert!(longest <= 3 * GREEDY as u64, "{longest}");
    });
}
