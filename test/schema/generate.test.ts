import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
	configurationTable,
	generatedFiles,
	schemaLua,
} from "../../schema/generate";
import { kongFields, properties } from "../../schema/kong";

function onDisk(path: string): string {
	return readFileSync(join(__dirname, "../..", path), "utf8");
}

/** Reads the one table constructor that a Lua file without any code returns. */
function readLua(source: string): unknown {
	const tokens =
		source
			.replace(/^--.*$/gm, "")
			.match(/"(?:[^"\\]|\\.)*"|[\w.-]+|[{}=,]|\S/g) ?? [];
	function value(): unknown {
		const token = tokens.shift() ?? "";
		if (token !== "{") return JSON.parse(token);
		const items: [name: string | undefined, item: unknown][] = [];
		while (tokens[0] !== "}") {
			const name = tokens[1] === "=" ? tokens.splice(0, 2)[0] : undefined;
			items.push([name, value()]);
			if (tokens[0] === ",") tokens.shift();
		}
		tokens.shift();
		return items.every(([name]) => name === undefined)
			? items.map(([, item]) => item)
			: Object.fromEntries(items);
	}
	expect(tokens.shift()).toBe("return");
	const table = value();
	expect(tokens).toEqual([]);
	return table;
}

describe("the generated files", () => {
	test("are fresh: npm run generate changes nothing", () => {
		for (const { path, content } of generatedFiles())
			expect({ path, content: onDisk(path) }).toEqual({ path, content });
	});

	test("are schema/schema.lua and the README's configuration table", () => {
		expect(
			generatedFiles()
				.map(({ path }) => path)
				.sort(),
		).toEqual(["README.md", "schema/schema.lua"]);
		expect(onDisk("README.md")).toContain(configurationTable());
	});
});

describe("schema.lua", () => {
	test("has neither require nor functions, which Konnect forbids", () => {
		expect(schemaLua()).not.toMatch(/\b(require|function)\b/);
	});

	test("says the same as the schema the plugin server dumps: data planes compare them", () => {
		expect(readLua(schemaLua())).toEqual({
			name: "x-custom-jwt",
			fields: [{ config: { type: "record", fields: kongFields } }],
		});
	});
});

describe("the README's configuration table", () => {
	test("has one row of four cells per field", () => {
		const [, , ...rows] = configurationTable().split("\n");
		const cells = rows.map((row) => row.slice(2, -2).split(" | "));
		expect(cells.map(([name]) => name)).toEqual(
			properties.map(([name]) => `\`${name}\``),
		);
		expect(cells.map(({ length }) => length)).toEqual(rows.map(() => 4));
	});
});
