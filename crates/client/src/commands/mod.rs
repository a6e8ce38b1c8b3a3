//! The typed commands: a function for each, which gives a [`Call`](crate::Call) to be sent by any client, and a method
//! of [`MultiplexedClient`](crate::MultiplexedClient) and [`Dedicated`](crate::Dedicated) where it suits them.
//!
//! Written from the server's command table. Required arguments are parameters, options are methods of the call:
//!
//! ```
//! # ochre_testserver::with(|address| async move {
//! use ochre_client::{MultiplexedClient, Pipeline, commands};
//!
//! let client = MultiplexedClient::connect(address).await?;
//! assert!(client.set("lock", "me").nx().ex(30).await?);
//! let range = client.zrange("scores", 0, -1).withscores().returning::<Vec<(String, f64)>>();
//! assert!(range.await?.is_empty());
//!
//! // Without a client, for pipelines and transactions:
//! let mut pipeline = Pipeline::new();
//! pipeline.add(commands::incr("visits")).add(commands::expire("visits", 60));
//! let (visits, expires): (i64, bool) = client.pipeline(&pipeline).await?;
//! assert_eq!((visits, expires), (1, true));
//! # Ok(()) });
//! ```

#[rustfmt::skip]
mod generated;

pub use generated::*;

/// Declares one command: a marker type that carries its options, a function, and methods.
macro_rules! declare {
    ($(#[$doc:meta])* everywhere $name:ident $marker:ident $words:tt
     ($($param:ident: $kind:ty),* $(,)?) -> $reply:ty; $call:ident => $build:expr) => {
        crate::commands::declare! {
            $(#[$doc])* alone $name $marker $words ($($param: $kind),*) -> $reply; $call => $build
        }

        impl crate::MultiplexedClient {
            $(#[$doc])*
            #[inline]
            pub fn $name(&self, $($param: $kind),*) -> crate::Call<&Self, $marker, $reply> {
                let $call = crate::Call::new(self, &$words);
                $build
            }
        }
    };
    ($(#[$doc:meta])* alone $name:ident $marker:ident $words:tt
     ($($param:ident: $kind:ty),* $(,)?) -> $reply:ty; $call:ident => $build:expr) => {
        crate::commands::declare! {
            $(#[$doc])* nowhere $name $marker $words ($($param: $kind),*) -> $reply; $call => $build
        }

        impl crate::Dedicated {
            $(#[$doc])*
            pub fn $name(&mut self, $($param: $kind),*) -> crate::Call<&mut Self, $marker, $reply> {
                let $call = crate::Call::new(self, &$words);
                $build
            }
        }
    };
    ($(#[$doc:meta])* nowhere $name:ident $marker:ident $words:tt
     ($($param:ident: $kind:ty),* $(,)?) -> $reply:ty; $call:ident => $build:expr) => {
        #[doc = concat!("The command of [`", stringify!($name), "`].")]
        #[derive(Clone, Copy, Debug)]
        pub enum $marker {}

        $(#[$doc])*
        pub fn $name($($param: $kind),*) -> crate::Call<(), $marker, $reply> {
            let $call = crate::Call::new((), &$words);
            $build
        }
    };
}
use declare;

/// Declares an enumeration of words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident $($variant:ident = $word:literal)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", $word, "`")] $variant,)*
        }

        impl crate::Arg for $name {
            fn add_to(&self, request: &mut crate::Cmd) {
                request.push(match self {
                    $($name::$variant => $word.as_bytes(),)*
                });
            }
        }
    };
}
use words;
