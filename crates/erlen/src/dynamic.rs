//! Namespaces that come into being when a client asks for them: by a pattern, or by a function.

use std::sync::Arc;

use crate::args::IntoArgs;
use crate::connection::SocketIo;
use crate::engine::Engine;
use crate::error::EmitError;
use crate::events::BY_RULE;
use crate::handlers::{HandlerSet, registering};
use crate::namespace::Namespace;
use crate::outgoing::Event;

/// Decides whether a namespace may be: its name, and the JSON text of the client's auth.
pub(crate) type Rule = Box<dyn Fn(&str, Option<&str>) -> bool + Send + Sync>;

/// A rule and what its namespaces have in common.
pub(crate) struct Parent {
    rule: Rule,
    handlers: HandlerSet,
}

impl Parent {
    pub(crate) fn new(rule: Rule, handlers: HandlerSet) -> Arc<Self> {
        Arc::new(Self { rule, handlers })
    }

    pub(crate) fn allows(&self, name: &str, auth: Option<&str>) -> bool {
        (self.rule)(name, auth)
    }

    pub(crate) fn handlers(&self) -> HandlerSet {
        self.handlers.clone()
    }
}

/// Namespaces by a rule: what is registered here holds in each of them.
///
/// A namespace is made when the first client asks for it, and forgotten when its last socket has left.
#[derive(Clone)]
pub struct DynamicNamespaces {
    engine: Arc<Engine<SocketIo>>,
    parent: Arc<Parent>,
}

impl DynamicNamespaces {
    registering!();

    fn handler_set(&self) -> &HandlerSet {
        &self.parent.handlers
    }

    pub(crate) fn new(engine: Arc<Engine<SocketIo>>, rule: Rule) -> Self {
        let parent = Parent::new(rule, engine.app().handler_set(BY_RULE));
        engine.app().add_parent(Arc::clone(&parent));
        Self { engine, parent }
    }

    /// The namespaces that exist now.
    pub fn namespaces(&self) -> Vec<Namespace> {
        self.engine.app().children(&self.parent.handlers)
    }

    /// Emits to everyone in every one of them.
    ///
    /// # Errors
    /// As [`Namespace::emit`].
    pub fn emit(&self, event: &str, data: impl IntoArgs) -> Result<(), EmitError> {
        let max_attachments = self.engine.app().shared.limits.max_attachments;
        let event = Event::new("/", event, &data, max_attachments)?;
        for namespace in self.namespaces() {
            namespace.broadcast_to_all(event.within(namespace.name()));
        }
        Ok(())
    }
}

impl std::fmt::Debug for DynamicNamespaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("DynamicNamespaces").field(&self.namespaces()).finish()
    }
}

/// Whether a name fits a pattern: segments between slashes, `{anything}` stands for one that is not empty.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let mut segments = name.split('/');
    let fits = pattern.split('/').all(|wanted| {
        let variable = wanted.starts_with('{') && wanted.ends_with('}');
        segments.next().is_some_and(|found| if variable { !found.is_empty() } else { found == wanted })
    });
    fits && segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_variable_is_one_segment_that_is_not_empty() {
        assert!(matches("/room/{id}", "/room/42"));
        assert!(matches("/{a}/x/{b}", "/1/x/2"));
        for name in ["/room", "/room/", "/room/1/2", "/other/1", "room/1"] {
            assert!(!matches("/room/{id}", name), "{name}");
        }
    }
}
