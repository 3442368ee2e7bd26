//! The fake is held to what it stands in for.

use std::sync::Arc;

use auth_domain::{Store, UserId};
use auth_testkit::InMemoryStore;

struct Fake(Arc<InMemoryStore>);

impl auth_testkit::contract::Subject for Fake {
    fn store(&self) -> Arc<dyn Store> {
        self.0.clone()
    }

    fn disable(&self, user: UserId) {
        self.0.disable(user);
    }
}

async fn open() -> Fake {
    Fake(Arc::default())
}

auth_testkit::store_contract!(open);
