"""HTTP: the routes that clients of OpenAI's speech know, those of jobs, health and metrics."""
