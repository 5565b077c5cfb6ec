import { Command } from "@commander-js/extra-typings";
import { describeField, type FieldDescription } from "../../schema/describe";
import { properties } from "../../schema/kong";
import { BadUse } from "../files";
import { json } from "../keys";
import { asJson, print } from "../output";
import { mostSimilar } from "../similar";

/** `x-custom-jwt config explain` */
export function configExplain() {
	return new Command("explain")
		.description(
			"print type, default, meaning and an example of a field of the plugin's configuration",
		)
		.argument("[field]", "name of the field; without it, all fields are listed")
		.addOption(asJson())
		.addHelpText(
			"after",
			`
Example:
  $ x-custom-jwt config explain auth_methods
  $ x-custom-jwt config explain --json`,
		)
		.action((field, options) => {
			const fields =
				field === undefined ? properties.map(([name]) => name) : [field];
			const described = fields.map(describe);
			if (options.json)
				return print(
					json(field === undefined ? described : { ...described[0] }),
				);
			print(
				field === undefined
					? described
							.map(({ name, meaning }) => `${name}\n    ${meaning}\n`)
							.join("")
					: described.map(inWords).join("\n"),
			);
		});
}

/** @throws {BadUse} for a field that the plugin does not have */
function describe(name: string): FieldDescription {
	const field = describeField(name);
	if (field) return field;
	const meant = mostSimilar(
		name,
		properties.map(([one]) => one),
	);
	throw new BadUse(
		`${name} is not a field of the plugin. ${meant ? `Did you mean ${meant}?` : "`x-custom-jwt config explain` lists the fields."}`,
	);
}

function inWords({
	name,
	type,
	isRequired,
	isSecret,
	byDefault,
	meaning,
	example,
	choices,
	page,
}: FieldDescription): string {
	const rows = {
		type: `${type}${isSecret ? ", encrypted; may be a vault reference" : ""}`,
		default: byDefault ?? (isRequired ? "none; the field is required" : "none"),
		...(choices.length && { choices: choices.join(", ") }),
		example: `${name}: ${example}`,
		page,
	};
	const lines = Object.entries(rows).map(
		([label, value]) => `${`${label}:`.padEnd(9)} ${value}\n`,
	);
	return `${name}\n${meaning}\n\n${lines.join("")}`;
}
