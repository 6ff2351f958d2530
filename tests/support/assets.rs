//! Streams and consumers as the server tells them, byte for byte.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Inspector;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    streams: Vec<Asset>,
    #[serde(default)]
    consumers: Vec<Asset>,
}

#[derive(Deserialize)]
struct Asset {
    config: Box<RawValue>,
    created: String,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

impl Asset {
    fn name(&self) -> String {
        let name: Name = serde_json::from_str(self.config.get()).expect("a configuration has a name");
        name.name
    }

    /// When it was made, and its configuration.
    fn told(&self) -> String {
        format!("{} {}", self.created, self.config.get())
    }
}

impl Inspector {
    /// Every stream as `name` and every consumer as `stream/name`, each with when it was made and its configuration as the
    /// server writes it.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn assets(&self) -> BTreeMap<String, String> {
        let mut assets = BTreeMap::new();
        for stream in self.page("STREAM.LIST").await.streams {
            for consumer in self.page(&format!("CONSUMER.LIST.{}", stream.name())).await.consumers {
                assets.insert(format!("{}/{}", stream.name(), consumer.name()), consumer.told());
            }
            assets.insert(stream.name(), stream.told());
        }
        assets
    }

    /// As [`Inspector::assets`], without when they were made: two servers can have the same.
    pub async fn configs(&self) -> BTreeMap<String, String> {
        let without_time = |told: String| told.split_once(' ').expect("a time").1.to_owned();
        self.assets().await.into_iter().map(|(name, told)| (name, without_time(told))).collect()
    }

    async fn page(&self, operation: &str) -> Page {
        let answer = self.client.request(format!("$JS.API.{operation}"), "".into()).await.expect("the server answers");
        serde_json::from_slice(&answer.payload).expect("a list")
    }
}
