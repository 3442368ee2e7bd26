use std::{
    collections::{HashMap, VecDeque},
    net::{TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use super::{Offer, Step, TakenMail, Whim, conversation};

/// What a server and its conversations know of each other.
pub(super) struct Shared {
    pub(super) offer: Offer,
    state: Mutex<State>,
    was_told: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) is_stopping: bool,
    pub(super) once: VecDeque<(Step, Whim)>,
    pub(super) always: Vec<(Step, Whim)>,
    pub(super) mails: Vec<TakenMail>,
    pub(super) commands: Vec<String>,
    pub(super) connections: usize,
    pub(super) open: HashMap<usize, TcpStream>,
    pub(super) most_open: usize,
    pub(super) withheld: usize,
    /// How often it was told to answer.
    told: usize,
}

impl Shared {
    pub(super) fn new(offer: Offer) -> Self {
        Self { offer, state: Mutex::default(), was_told: Condvar::new() }
    }

    pub(super) fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for socket in listener.incoming() {
            if self.state().is_stopping {
                return;
            }
            let Ok(socket) = socket else { continue };
            let shared = Arc::clone(self);
            let number = self.opened(&socket);
            thread::spawn(move || {
                conversation::hold(&shared, socket, number);
                shared.state().open.remove(&number);
            });
        }
    }

    fn opened(&self, socket: &TcpStream) -> usize {
        let mut state = self.state();
        state.connections += 1;
        let number = state.connections;
        state.open.insert(number, socket.try_clone().expect("a socket can be shared"));
        state.most_open = state.most_open.max(state.open.len());
        number
    }

    /// How it misbehaves at `step` this time, if it does.
    pub(super) fn whim(&self, step: Step) -> Option<Whim> {
        let mut state = self.state();
        if let Some(at) = state.once.iter().position(|(when, _)| *when == step) {
            return state.once.remove(at).map(|(_, whim)| whim);
        }
        state.always.iter().find(|(when, _)| *when == step).map(|(_, whim)| whim.clone())
    }

    /// Runs `meanwhile` while an answer is withheld.
    pub(super) fn withhold<T>(&self, meanwhile: impl FnOnce() -> T) -> T {
        self.state().withheld += 1;
        let outcome = meanwhile();
        self.state().withheld -= 1;
        outcome
    }

    /// Withholds an answer until it is told to give it.
    pub(super) fn wait_until_told(&self) {
        let mut state = self.state();
        let told = state.told;
        state.withheld += 1;
        let waited = self.was_told.wait_while(state, |state| state.told == told);
        waited.unwrap_or_else(PoisonError::into_inner).withheld -= 1;
    }

    pub(super) fn tell_to_answer(&self) {
        self.state().told += 1;
        self.was_told.notify_all();
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
