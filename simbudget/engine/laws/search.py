"""A search without a clock: agents submit in turn, and their best results are tried at the first gate.

The engines play the same search in time, where calls, queues and reviews take as long as they do. Here nothing takes
time, so that a run takes a fraction of a millisecond: what is left of it is which methods are found, refined, reviewed
and chosen for the gates.
"""

from simbudget.compilation import compiled
from simbudget.engine.laws.gates import appears, find_finalists, is_admitted, try_at_gate
from simbudget.engine.laws.notebook import BLAMED, Notebook, best_known, clear, learn
from simbudget.engine.laws.research import Lab, submit
from simbudget.engine.laws.review import LEADERS, is_chosen, review


@compiled
def search_in_turn(lab: Lab, notebook: Notebook, submissions: int, reads_at_most: int) -> None:
    """Let agents submit in turn, and try the finalists at the first gate; the notebook says which were tried.

    An agent reads after its submission what others have posted since its last one, and posts its own.

    Args:
        lab: the tables of one world, with reviews that take no time.
        notebook: the state of research; it has room for all submissions, and is cleared first.
        submissions: number of submissions of all agents together.
        reads_at_most: maximum number of posts that an agent reads; 0 where agents do not share.
    """
    clear(notebook)
    agents = len(notebook.agents)
    for now_ns in range(submissions):  # the clock counts submissions
        agent = now_ns % agents
        parent = best_known(notebook, agent, now_ns)
        submission = submit(lab, notebook, agent, now_ns // agents, parent, now_ns)
        is_finalist = appears(lab, notebook, submission)
        if is_chosen(lab, notebook, submission) or (is_finalist and lab.research.review_of == LEADERS):
            review(lab, notebook, submission, now_ns)
        if is_finalist and notebook.submissions[submission, BLAMED] == 0:
            try_at_gate(lab, notebook, submission, 0)
        # Every turn makes one submission, so a submission's number is also that of the turn.
        first = max(0, now_ns - min(agents - 1, reads_at_most))
        for post in range(first, now_ns):
            learn(notebook, agent, post, now_ns)
    for place in range(find_finalists(lab, notebook, submissions)):
        submission = notebook.ranking[place]
        if is_admitted(lab, notebook, submission, 0):
            try_at_gate(lab, notebook, submission, 0)
