"""An operator's extension folder as config.yaml's ``extensions`` takes one; chaos rounds use its engine."""
