import {
	Command,
	InvalidArgumentError,
	Option,
} from "@commander-js/extra-typings";
import { readConfiguration } from "../../declarative/model";
import { checkConfiguration } from "../check";
import { FORMAT_NAMES, FORMATS } from "../formats";
import { asJson, EXIT, print } from "../output";
import { RULES } from "../rules/table";
import { mostSimilar } from "../similar";

/** `x-custom-jwt config check` */
export function configCheck() {
	return new Command("check")
		.description(
			"check every plugin entry of x-custom-jwt, its key and the JWK Set to which its jku leads",
		)
		.argument(
			"<file...>",
			"YAML or JSON for DB-less Kong or decK, or folders; several make up one configuration",
		)
		.option("--strict", "count warnings as errors", false)
		.option(
			"--env",
			"resolve {vault://env/...} and decK's variables from the environment, and check the key",
			false,
		)
		.addOption(
			new Option(
				"--ignore <rule>",
				"leave out the findings of a rule; may be repeated",
			)
				.argParser(ruleId)
				.default([] as string[], "none"),
		)
		.addOption(
			new Option("--format <format>", "how findings are printed")
				.choices(FORMAT_NAMES)
				.default("text" as const),
		)
		.addOption(asJson().implies({ format: "json" }))
		.addHelpText(
			"after",
			`
The exit code is 1 when there is an error; warnings and notes are for you to judge. docs/cli.md lists the rules.

Example:
  $ npx kong-plugin-x-custom-jwt config check kong.yml kong-enterprise.yml
  $ npx kong-plugin-x-custom-jwt config check --strict --env --format github kong.yml`,
		)
		.action(async (files, { strict, env, ignore, format }) => {
			const all = await checkConfiguration(readConfiguration(files), {
				...(env && { environment: process.env }),
			});
			const findings = all
				.filter(({ id }) => !ignore.includes(id))
				.map((finding) =>
					strict && finding.severity === "warning"
						? { ...finding, severity: "error" as const }
						: finding,
				);
			const hasErrors = findings.some(({ severity }) => severity === "error");
			process.exitCode = hasErrors ? EXIT.no : EXIT.ok;
			print(FORMATS[format](findings));
		});
}

/** Reads one more id of a rule. */
function ruleId(id: string, previous: string[]): string[] {
	const ids = RULES.map((rule) => rule.id);
	if (ids.includes(id)) return [...previous, id];
	const meant = mostSimilar(id, ids);
	throw new InvalidArgumentError(
		meant ? `Did you mean ${meant}?` : "There is no such rule.",
	);
}
