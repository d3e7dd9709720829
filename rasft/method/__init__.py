"""The method as pure functions: rollouts and verdicts of a problem in, weights and examples out."""
