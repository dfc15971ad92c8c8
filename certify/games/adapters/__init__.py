"""Games from other people's programs: environments in Python, OpenSpiel, JaxMARL.

Everything goes through one enumeration, `steps.from_steps`; OpenSpiel and JaxMARL are models of its protocol.
"""
