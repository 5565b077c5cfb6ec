/** What the three steps of `keys rotate` have in common. */
import { statSync } from "node:fs";
import { Command, Option } from "@commander-js/extra-typings";
import { applyEdits } from "../declarative/text";
import { Name } from "../plugins/x-custom-jwt";
import { writeAtomically } from "./files";
import { json } from "./keys";
import { asJson, EXIT, print, seconds } from "./output";
import { iso, printable } from "./print";
import { diffOf, type Outcome } from "./rotate";

/** A step's command with the options that say where it works. */
export function rotateStep(name: string, description: string, example: string) {
	return new Command(name)
		.description(description)
		.requiredOption(
			"--config <file...>",
			"declarative configuration, all files that belong together",
		)
		.option("--plugin <name>", "name of the plugin", Name as string)
		.option("--route <name>", "only the plugin entry on this route")
		.option("--service <name>", "only the plugin entry on this service")
		.option("--dry-run", "show what would change, write nothing", false)
		.addOption(asJson())
		.addHelpText(
			"after",
			`\nExample:\n  $ x-custom-jwt keys rotate ${example}`,
		);
}

/** The option `--cache-max-age`. */
export function cacheMaxAge() {
	return new Option(
		"--cache-max-age <seconds>",
		"how long backends may keep a JWK Set",
	)
		.argParser(seconds)
		.default(3600);
}

/** The option `--margin`. */
export function margin() {
	return new Option(
		"--margin <seconds>",
		"time for a deployment to reach all data planes",
	)
		.argParser(seconds)
		.default(300);
}

/** Makes the edits of a step, or shows them, and says what came of it. */
export function conclude(
	{ done, message, notes, allowedAt, edits }: Outcome,
	{ dryRun, json: wantsJson }: { dryRun: boolean; json: boolean },
): void {
	process.exitCode = done ? EXIT.ok : EXIT.no;
	const diff = dryRun ? edits.map(diffOf).join("") : undefined;
	const files = applyEdits(edits);
	if (!dryRun)
		for (const { path, text } of files)
			writeAtomically(path, text, statSync(path).mode & 0o777);
	if (wantsJson) {
		const paths = files.map(({ path }) => path);
		const at = allowedAt === undefined ? {} : { allowedAt: iso(allowedAt) };
		print(json({ done, message, notes, ...at, files: paths, diff }));
	} else {
		if (diff) print(printable(diff));
		print(printable(done ? message : `refused: ${message}`));
		for (const note of notes) print(printable(`- ${note}`));
	}
}
