"""How the training program is started: by Accelerate, on one machine or on several."""
