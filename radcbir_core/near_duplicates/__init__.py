"""Which images are other files of the same picture: found by their neighbors and signatures, confirmed on pixels."""
