/**
 * Writes what is generated from the fields: `schema/schema.lua` for Konnect and the tables of
 * the README. With `--check` it writes nothing and fails when one of them is stale.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
	isRequired,
	type KongValue,
	kongEntityFields,
	kongType,
	properties,
} from "./kong";
import { Name } from "./name";
import { packageRoot } from "./package-root";
import { REFUSALS } from "./refusals";

const ROOT = packageRoot();

/** The README's tables by the name of their marks. */
const TABLES: Record<string, () => string> = {
	configuration: configurationTable,
	refusals: refusalTable,
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

/** The README's configuration table, in Markdown. */
export function configurationTable(): string {
	return [
		"| field | type | default | meaning |",
		"|---|---|---|---|",
		...properties.map(([name, property]) => {
			const byDefault =
				property.default === undefined
					? isRequired(name)
						? "**required**"
						: "none"
					: `\`${[property.default].flat().join("`, `")}\``;
			const kind = kongType(property);
			const type = /^(array|set|map)$/.test(kind) ? `${kind} of strings` : kind;
			const note = property.kong?.referenceable ? ", encrypted" : "";
			return `| \`${name}\` | ${type}${note} | ${byDefault} | ${property.description} |`;
		}),
	].join("\n");
}

/** The README's table of refusals, in Markdown. */
export function refusalTable(): string {
	return [
		"| status | log | it means |",
		"|---|---|---|",
		...Object.values(REFUSALS).map(({ status, text, means }) => {
			const shown = text.replace(/\{\w+\}/g, "…");
			return `| ${status} | \`${shown}\` | ${means} |`;
		}),
	].join("\n");
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
	const readme = readFileSync(join(ROOT, "README.md"), "utf8");
	return [
		{ path: "schema/schema.lua", content: schemaLua() },
		{
			path: "README.md",
			content: Object.entries(TABLES).reduce(
				(text, [name, table]) => withTable(text, name, table()),
				readme,
			),
		},
	];
}

function withTable(text: string, name: string, table: string): string {
	const marks = new RegExp(
		`(<!-- generated: ${name} -->\\n)[\\s\\S]*?(\\n<!-- /generated -->)`,
	);
	if (!marks.test(text))
		throw new Error(`README.md has lost the marks of its table ${name}`);
	return text.replace(marks, (_, open, close) => `${open}\n${table}\n${close}`);
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
