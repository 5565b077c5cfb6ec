/** What the three steps of `keys rotate` have in common. */
import { statSync } from "node:fs";
import { Command, Option } from "@commander-js/extra-typings";
import { visit } from "yaml";
import { applyEdits, type Edit } from "../declarative/text";
import { isPrivate } from "../jwk/members";
import { printableLine } from "../jwk/printable";
import { iso } from "../jwk/time";
import { Name } from "../plugins/x-custom-jwt";
import {
	BadUse,
	refuseLink,
	writeAtomically,
	writeNew,
	writePrivate,
} from "./files";
import { json } from "./keys";
import { parseJwks } from "./named-jwk";
import { asJson, EXIT, print, printLine, report, seconds } from "./output";
import type { Outcome } from "./rotate";
import { diffOf } from "./rotation-edits";

/** The command of a step that edits files. */
export function rotateStep(name: string, description: string, example: string) {
	return rotateCommand(name, description, example).option(
		"--dry-run",
		"show what would change, write nothing",
		false,
	);
}

/** A command with the options that say where it works. */
export function rotateCommand(
	name: string,
	description: string,
	example: string,
) {
	return new Command(name)
		.description(description)
		.requiredOption(
			"--config <file...>",
			"declarative configuration, all files that belong together",
		)
		.option("--plugin <name>", "name of the plugin", Name as string)
		.option("--route <name>", "only the plugin entry on this route")
		.option("--service <name>", "only the plugin entry on this service")
		.option(
			"--old-marks",
			"read iat, nbf and exp of published keys as marks, as version 0.2.0 wrote them",
			false,
		)
		.addOption(asJson())
		.addHelpText(
			"after",
			`\nExample:\n  $ npx kong-plugin-x-custom-jwt keys rotate ${example}`,
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

/**
 * Makes the edits of a step, or shows them, and says what came of it.
 *
 * @param newKey file for a private JWK that was generated
 * @throws {BadUse} before anything is written when a file with a private key in it is a symbolic link
 */
export function conclude(
	{ done, message, notes, allowedAt, edits }: Outcome,
	{ dryRun, json: wantsJson }: { dryRun: boolean; json: boolean },
	newKey?: { path: string; text: string },
): void {
	const diff = dryRun ? edits.map(diffOf).join("") : undefined;
	const secret = new Set(
		edits.filter(holdsPrivateKey).map(({ file }) => file.path),
	);
	for (const path of secret) refuseLink(path);
	const files = applyEdits(edits);
	const exposed: string[] = [];
	if (!dryRun) {
		if (newKey) writeNew(newKey.path, newKey.text);
		for (const { path, text } of files) {
			const mode = statSync(path).mode & 0o777;
			const write = secret.has(path) ? writePrivate : writeAtomically;
			write(path, text, mode);
			if (mode & 0o044 && secret.has(path))
				exposed.push(
					`${path} has a private key in it and others may read it: chmod 600`,
				);
		}
	}
	process.exitCode = done ? EXIT.ok : EXIT.no;
	const all = [
		...(dryRun && done ? ["nothing was written, for --dry-run"] : []),
		...notes,
		...exposed,
	];
	if (newKey?.path === "-") {
		const words = [done ? message : `refused: ${message}`, ...all];
		report(words.map(printableLine).join("\n- "));
	} else if (wantsJson) {
		const paths = files.map(({ path }) => path);
		const at = allowedAt === undefined ? {} : { allowedAt: iso(allowedAt) };
		print(json({ done, message, notes: all, ...at, files: paths, diff }));
	} else {
		if (diff) print(diff);
		printLine(done ? message : `refused: ${message}`);
		for (const note of all) printLine(`- ${note}`);
	}
}

/** Whether a private key is in the file after an edit, or was in it before. */
function holdsPrivateKey({ file, text }: Edit): boolean {
	let found = isPrivateKey(text);
	visit(file.document, {
		Scalar(_, { value }) {
			if (typeof value !== "string" || !isPrivateKey(value)) return undefined;
			found = true;
			return visit.BREAK;
		},
	});
	return found;
}

/** Whether a text is a private JWK, or a JWK Set with one. */
function isPrivateKey(text: string): boolean {
	// Most texts are none; they need not be parsed for it.
	if (!text.trimStart().startsWith("{")) return false;
	try {
		return parseJwks(text, "").some(isPrivate);
	} catch (error) {
		if (error instanceof BadUse) return false;
		throw error;
	}
}
