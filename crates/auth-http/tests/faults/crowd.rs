//! People who use the service at the same time.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use crate::{doors::Doors, person::Person, random::Random};

/// Between two of somebody's requests: the machine is to be busy, and not with this alone.
const BREATH: Duration = Duration::from_millis(2);

/// People who come in several queues, each of which sends one request after the other.
pub(crate) struct Crowd {
    queues: Vec<Queue>,
    room: AtomicUsize,
}

struct Queue {
    number: usize,
    people: Vec<Person>,
    /// How many have tried to sign up.
    came: usize,
    random: Random,
}

/// Tells the queues to stop, also when what they were waiting for has panicked.
struct Stop<'a>(&'a AtomicBool);

impl Crowd {
    pub(crate) fn new(queues: usize, random: &mut Random) -> Self {
        let queue = |number| Queue { number, people: Vec::new(), came: 0, random: random.split() };
        Self { queues: (0..queues).map(queue).collect(), room: AtomicUsize::new(0) }
    }

    /// Has everybody use the service until `meanwhile` is over, which is handed what lets more people in: so many to each queue.
    pub(crate) fn goes_on<T>(&mut self, doors: &Doors, meanwhile: impl FnOnce(&dyn Fn(usize)) -> T) -> T {
        let (is_over, room) = (AtomicBool::new(false), &self.room);
        thread::scope(|scope| {
            for queue in &mut self.queues {
                let is_over = &is_over;
                scope.spawn(move || {
                    while !is_over.load(Ordering::SeqCst) {
                        queue.step(doors, room.load(Ordering::SeqCst));
                        thread::sleep(BREATH);
                    }
                });
            }
            let _stop = Stop(&is_over);
            meanwhile(&|more| {
                room.fetch_add(more, Ordering::SeqCst);
            })
        })
    }

    /// Fails unless everybody has everything that was acknowledged to them. Says for `test` what that was.
    pub(crate) fn has_what_was_acknowledged(&mut self, doors: &Doors, test: &str) {
        let people = self.queues.iter_mut().flat_map(|queue| &mut queue.people);
        let (mut count, mut credentials) = (0, 0);
        for person in people {
            person.has_what_was_acknowledged(doors);
            count += 1;
            credentials += person.credentials();
        }
        println!("{test}: {count} people have all of their {credentials} sessions and key pairs");
        assert!(count > 0, "somebody could sign up");
    }
}

impl Queue {
    fn step(&mut self, doors: &Doors, room: usize) {
        if self.came < room && (self.people.is_empty() || self.random.happens(20)) {
            let name = format!("p{}-{}", self.number, self.came);
            self.came += 1;
            self.people.extend(Person::sign_up(name, doors, self.random.below(doors.count())));
        } else if !self.people.is_empty() {
            let somebody = self.random.below(self.people.len());
            self.people[somebody].act(doors, &mut self.random);
        }
    }
}

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
