"""The settings with which a pilot's processes are started: model server, service and agents."""

from dataclasses import dataclass

from simbudget.pilot.agents.settings import AgentSettings
from simbudget.pilot.clock import RunClock
from simbudget.pilot.draws import Draws
from simbudget.pilot.model_server.settings import ModelServerSettings
from simbudget.pilot.run.folder import Folder, Keys
from simbudget.pilot.run.plan import AgentPlan, Plan
from simbudget.pilot.run.standing import gpu_usd_per_hour_of_use, scorer_usd
from simbudget.pilot.service.settings import ServiceSettings
from simbudget.pilot.tasks.task import Experiment


@dataclass(frozen=True)
class Addresses:
    """The addresses that agents connect to."""

    model_url: str | None
    """None for the provider's."""
    site_url: str
    slots_port: int


@dataclass(frozen=True)
class Children:
    """The settings of a pilot's processes."""

    plan: Plan
    folder: Folder
    keys: Keys

    @property
    def draws(self) -> Draws:
        """Return the draws made at the pilot's start."""
        return Draws(self.plan.options.seed, self.plan.options.luck)

    def model_server(self, clock: RunClock, port: int) -> ModelServerSettings:
        """Return the settings of the model server; port 0 for any free one."""
        options, task = self.plan.options, self.plan.task
        hacks = {hack.name: task.source(Experiment(hack.name)) for hack in task.hacks}
        return ModelServerSettings(
            scenario=options.scenario.resolve(),
            journal=self.folder.provider,
            seed=options.seed,
            luck=options.luck,
            began_unix_s=clock.began_unix_s,
            at_s=clock.at_s,
            time_scale=options.scale,
            users={f"agent-{each.agent}": each.group for each in self.plan.agents},
            keys={token: f"agent-{number}" for number, token in enumerate(self.keys.agents)},
            hacks={name: code for name, code in hacks.items() if not code.startswith("# unknown method")},
            hack_rate=options.hack_rate,
            port=port,
        )

    def service(self, clock: RunClock, port: int) -> ServiceSettings:
        """Return the settings of the service; port 0 for any free one."""
        options, scorer, draws = self.plan.options, self.plan.scenario.scorer, self.draws
        return ServiceSettings(
            task=options.task,
            secret=self.keys.task_secret,
            database=self.folder.site,
            tokens=dict(enumerate(self.keys.agents)),
            task_folder=options.scenario.resolve().parent,
            port=port,
            servers=scorer.servers,
            scoring_s=clock.wall_s(draws.value(scorer.time, "typical")),
            cool_down_s=clock.wall_s(scorer.cool_down.exact_value),
            quota=scorer.quota_per_agent_per_day,
            quota_period_s=clock.wall_s(86_400.0),
        )

    def agent(self, each: AgentPlan, ends_at_s: float, at: Addresses) -> AgentSettings:
        """Return the settings of an agent."""
        options, token = self.plan.options, self.keys.agents[each.agent]
        start = self.plan.scenario.fleet[each.group].start
        return AgentSettings(
            agent=each.agent,
            agents=len(self.plan.agents),
            group=each.group,
            member=each.member,
            direction=each.direction,
            folder=self.folder.agent(each.agent),
            public=self.folder.public,
            ledger=self.folder.ledger,
            cap_usd=options.budget_usd,
            scenario=options.scenario.resolve(),
            task=options.task,
            task_folder=options.scenario.resolve().parent,
            time_scale=options.scale,
            starts_at_s=start.first.exact_value + each.member * start.then_every.exact_value,
            ends_at_s=ends_at_s,
            seed=options.seed,
            luck=options.luck,
            live=options.live,
            base_url=at.model_url,
            api_key=None if options.live else token,
            site_url=at.site_url,
            site_token=token,
            slots_port=at.slots_port,
            experiment_timeout_s=options.experiment_timeout_s,
            gpu_usd_per_hour=gpu_usd_per_hour_of_use(self.plan),
            scorer_usd=scorer_usd(self.plan),
        )
