"""Prompts written by hand: pairs that ask the same in other words, and pairs of one form that ask something else."""

SAME = [
    ("Write a short poem about the sea in winter.", "Compose a brief poem on the ocean during wintertime."),
    (
        "How do I remove a red wine stain from a cotton shirt?",
        "What gets red wine stains out of a cotton shirt?",
    ),
    ("Explain photosynthesis to a ten year old.", "Describe how photosynthesis works for a child of ten."),
    ("What is the capital of Australia?", "Which city is Australia's capital?"),
    ("Give me three tips for sleeping better.", "List three pieces of advice for better sleep."),
    (
        "Summarise the plot of Romeo and Juliet in two sentences.",
        "In two sentences, tell the story of Romeo and Juliet.",
    ),
    (
        "Write a Python function that checks whether a number is prime.",
        "Implement a prime number check as a function in Python.",
    ),
    (
        "Translate 'good morning, my friend' into French.",
        "How do you say 'good morning, my friend' in French?",
    ),
    (
        "Suggest a vegetarian recipe for dinner with chickpeas.",
        "Recommend a meatless dinner recipe that uses chickpeas.",
    ),
    (
        "Write an email to my boss asking for a day off on Friday.",
        "Draft a message to my manager requesting leave this Friday.",
    ),
    ("What are the health benefits of green tea?", "How is drinking green tea good for your health?"),
    (
        "Explain the difference between a virus and a bacterium.",
        "How do viruses and bacteria differ from each other?",
    ),
]

OTHER = [
    ("Write a short poem about the sea in winter.", "Write a short poem about the mountains in summer."),
    (
        "How do I remove a red wine stain from a cotton shirt?",
        "How do I remove a grease stain from a leather sofa?",
    ),
    ("What is the capital of Australia?", "What is the capital of Austria?"),
    ("Give me three tips for sleeping better.", "Give me three tips for running faster."),
    (
        "Write a Python function that checks whether a number is prime.",
        "Write a Python function that checks whether a word is a palindrome.",
    ),
    ("Translate 'good morning, my friend' into French.", "Translate 'good morning, my friend' into German."),
    ("What are the health benefits of green tea?", "What are the health risks of green tea?"),
    (
        "Explain the difference between a virus and a bacterium.",
        "Explain the difference between a virus and a worm in computing.",
    ),
]
