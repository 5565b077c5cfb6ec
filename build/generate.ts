/**
 * Writes what is generated from the fields and the refusals: `schema/schema.lua` for Konnect, the JSON
 * Schema for editors and tables of the docs. With `--check` it writes nothing and fails when one of them is stale.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { REFUSALS, TITLES } from "../core/refusals";
import { describeField } from "../schema/describe";
import { EDITOR_SCHEMA, editorSchema } from "../schema/editor";
import { FIELD_GROUPS } from "../schema/fields";
import {
	isRequired,
	type KongValue,
	kongEntityFields,
	type Property,
	properties,
} from "../schema/kong";
import { Name } from "../schema/name";
import { packageRoot } from "../schema/package-root";

const ROOT = packageRoot();

/** The pages with a generated part, between marks. */
const PAGES: Record<string, () => string> = {
	"docs/configuration.md": configurationTables,
	"docs/errors.md": refusalTables,
};

/** The plugin's schema as Konnect's control plane takes it: no `require`, no functions. */
export function schemaLua(): string {
	const schema = { name: Name, fields: kongEntityFields };
	return [
		"-- Generated from schema/fields.ts by `npm run generate`; do not edit.",
		`return ${lua(schema)}`,
		"",
	].join("\n");
}

/** The tables of the configuration's fields, one for each purpose, in Markdown. */
export function configurationTables(): string {
	const byName = new Map(properties);
	return Object.entries(FIELD_GROUPS)
		.map(([purpose, names]) =>
			[
				`## ${purpose}`,
				"",
				"| field | type | default | meaning | example |",
				"|---|---|---|---|---|",
				...names.map((name) => row(name, byName.get(name))),
			].join("\n"),
		)
		.join("\n\n");
}

function row(name: string, property: Property | undefined): string {
	const field = describeField(name);
	if (!property || !field) throw new Error(`there is no field ${name}`);
	const byDefault =
		property.default === undefined
			? isRequired(name)
				? "**required**"
				: "none"
			: `\`${[property.default].flat().join("`, `")}\``;
	const note = field.isSecret ? ", encrypted" : "";
	return `| \`${name}\` | ${field.type}${note} | ${byDefault} | ${field.meaning} | \`${field.example}\` |`;
}

/** The tables of refusals, one for each status, in Markdown. */
export function refusalTables(): string {
	return Object.entries(TITLES)
		.map(([status, title]) =>
			[
				`## ${status} ${title}`,
				"",
				"| log | it means | `reason` |",
				"|---|---|---|",
				...Object.values(REFUSALS)
					.filter((refusal) => `${refusal.status}` === status)
					.map(({ text, means, reason }) => {
						const shown = text.replace(/\{\w+\}/g, "…");
						return `| \`${shown}\` | ${means} | \`${reason}\` |`;
					}),
			].join("\n"),
		)
		.join("\n\n");
}

function lua(value: KongValue, indent = ""): string {
	if (typeof value !== "object") return JSON.stringify(value);
	const inner = `${indent}  `;
	const items = Array.isArray(value)
		? value.map((item) => lua(item, inner))
		: Object.entries(value).map(
				([name, item]) => `${name} = ${lua(item, inner)}`,
			);
	return `{\n${items.map((item) => `${inner}${item},\n`).join("")}${indent}}`;
}

/** Each generated file with what it should hold. */
export function generatedFiles(): { path: string; content: string }[] {
	return [
		{ path: "schema/schema.lua", content: schemaLua() },
		{
			path: EDITOR_SCHEMA,
			// Escaped, as a character that cannot be seen.
			content: `${JSON.stringify(editorSchema(), null, 2).replaceAll("\u007f", "\\u007f")}\n`,
		},
		...Object.entries(PAGES).map(([path, part]) => ({
			path,
			content: withPart(path, part()),
		})),
	];
}

function withPart(path: string, part: string): string {
	const text = readFileSync(join(ROOT, path), "utf8");
	const marks = /(<!-- generated -->\n)[\s\S]*?(\n<!-- \/generated -->)/;
	if (!marks.test(text))
		throw new Error(`${path} has lost the marks of its generated part`);
	return text.replace(marks, (_, open, close) => `${open}\n${part}\n${close}`);
}

if (require.main === module) {
	const check = process.argv.includes("--check");
	for (const { path, content } of generatedFiles()) {
		const file = join(ROOT, path);
		if (existsSync(file) && readFileSync(file, "utf8") === content) continue;
		if (check) {
			console.error(`${path} is stale: run npm run generate`);
			process.exitCode = 1;
		} else {
			writeFileSync(file, content);
			console.log(`wrote ${path}`);
		}
	}
}
