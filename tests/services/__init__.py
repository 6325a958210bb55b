"""Services that cloud tasks talk to, on this machine: fakes checked against published models, emulators, real programs."""
