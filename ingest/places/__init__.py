"""How a place is read: names (lexicon), their surroundings (cues), texts, coordinates, and the weighing of all of it."""
