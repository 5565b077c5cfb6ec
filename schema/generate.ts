/**
 * Writes what is generated from the fields: `schema/schema.lua` for Konnect and the configuration
 * table of the README. With `--check` it writes nothing and fails when one of them is stale.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Name } from "../plugins/x-custom-jwt";
import {
	isRequired,
	type KongValue,
	kongFields,
	kongType,
	properties,
} from "./kong";
import { packageRoot } from "./package-root";

const ROOT = packageRoot();

/** Where the table stands in the README. */
const CONFIGURATION =
	/(<!-- generated: configuration -->\n)[\s\S]*?(\n<!-- \/generated -->)/;

/** The plugin's schema as Konnect's control plane takes it: no `require`, no functions. */
export function schemaLua(): string {
	const schema = {
		name: Name,
		fields: [{ config: { type: "record", fields: kongFields } }],
	};
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
	if (!CONFIGURATION.test(readme))
		throw new Error("README.md has lost the marks of its generated table");
	return [
		{ path: "schema/schema.lua", content: schemaLua() },
		{
			path: "README.md",
			content: readme.replace(
				CONFIGURATION,
				(_, open, close) => `${open}\n${configurationTable()}\n${close}`,
			),
		},
	];
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
