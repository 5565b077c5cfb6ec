/**
 * What does a change take out of a request, and what is left? The dedicated server as it is, and as a commit before
 * has it: `npm run bench -- compare --before=FILE`, the bundle `dist/x-custom-jwt-pluginserver.js` of that commit.
 */
import { SERVERS } from "./load";
import { OUTCOMES, ReplayedServer } from "./replayed-server";
import { amount, option, report } from "./report";
import { inTurns, ratios, spread, table } from "./rounds";

const CONNECTIONS = 8;
const SECONDS = amount(1);
/** V8 does not compile a bundle the same way each time. */
const PAIRS = Math.ceil(amount(3));

report("compare", async () => {
	const before = option("before");
	if (!before) throw new Error("--before names the bundle to compare with");
	const commands = [
		[process.execPath, before],
		SERVERS.dedicated,
		SERVERS.floor,
	];
	const rows = [];
	for (const [name, config] of Object.entries(OUTCOMES)) {
		const cpu = commands.map((): number[] => []);
		for (let pair = 0; pair < PAIRS; pair++) {
			const sides: ReplayedServer[] = [];
			for (const command of commands)
				sides.push(await ReplayedServer.start(command, config, CONNECTIONS));
			// Warm.
			for (const side of sides) await side.run(SECONDS);
			const rounds = await inTurns(sides, (side) => side.run(SECONDS));
			for (const [index, side] of sides.entries())
				cpu[index]?.push(...(rounds.get(side) ?? []).map((run) => run.cpu));
			for (const side of sides) await side.stop();
		}
		const [old = [], now = [], floor = []] = cpu;
		rows.push([
			name,
			spread(old),
			spread(now),
			spread(ratios(now, old), 2),
			spread(floor),
		]);
	}
	const head = ["CPU, µs/token", "before", "now", "ratio", "floor"];
	return [table(head, rows)];
});
