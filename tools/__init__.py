"""Tools of agents and shell users: one module each, or one kind of job each; see ``tools.core.registry``."""
