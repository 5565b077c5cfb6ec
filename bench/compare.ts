/**
 * What does a change take out of a request? The dedicated server as it is, and as a commit before has it:
 * `npm run bench -- compare --before=FILE`, the bundle `dist/x-custom-jwt-pluginserver.js` of that commit.
 */
import { ReplayedServer } from "./replay";
import { amount, flags, inTurns, ratio, report, spread, table } from "./report";
import { OUTCOMES, SERVERS } from "./servers";

const CONNECTIONS = 8;
const SECONDS = amount(1);
/** V8 does not compile a bundle the same way each time. */
const PAIRS = Math.ceil(amount(3));

report("compare", async () => {
	const { before } = flags;
	if (!before) throw new Error("--before names the bundle to compare with");
	const commands = [[process.execPath, before], SERVERS.dedicated];
	const rows: string[][] = [];
	for (const [name, config] of Object.entries(OUTCOMES)) {
		const cpu = commands.map((): number[] => []);
		for (let pair = 0; pair < PAIRS; pair++) {
			const sides: ReplayedServer[] = [];
			for (const command of commands)
				sides.push(await ReplayedServer.start(command, config, CONNECTIONS));
			for (const side of sides) await side.run(SECONDS);
			const rounds = await inTurns(sides, (side) => side.run(SECONDS));
			for (const [index, runs] of rounds.entries())
				cpu[index]?.push(...runs.map((run) => run.cpu));
			for (const side of sides) await side.stop();
		}
		const [old = [], now = []] = cpu;
		rows.push([name, spread(old), spread(now), ratio(now, old)]);
	}
	return [table(["CPU, µs/token", "before", "now", "ratio"], rows)];
});
