import { Command } from "@commander-js/extra-typings";
import { readConfiguration } from "../../declarative/model";
import { checkConfiguration } from "../check";
import { json } from "../keys";
import { asJson, EXIT, print, printLine } from "../output";

/** `x-custom-jwt config check` */
export function configCheck() {
	return new Command("check")
		.description(
			"check every plugin entry of x-custom-jwt, its key and the JWK Set its jku leads to",
		)
		.argument(
			"<file...>",
			"YAML or JSON for DB-less Kong or decK; several make up one configuration",
		)
		.addOption(asJson())
		.addHelpText(
			"after",
			`
The exit code is 1 when there is an error; warnings and infos are for you to judge. Example:
  $ npx kong-plugin-x-custom-jwt config check kong.yml kong-enterprise.yml`,
		)
		.action(async (files, options) => {
			const findings = await checkConfiguration(readConfiguration(files));
			const errors = findings.filter(({ severity }) => severity === "error");
			process.exitCode = errors.length ? EXIT.no : EXIT.ok;
			if (options.json) return print(json(findings));
			for (const { file, line, column, severity, message } of findings)
				printLine(`${file}:${line}:${column} ${severity}: ${message}`);
			print(
				`${errors.length} errors, ${findings.length - errors.length} other findings`,
			);
		});
}
