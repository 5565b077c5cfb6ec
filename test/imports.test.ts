/** The one-way rule of CONTRIBUTING.md: which folder may import from which. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { preProcessFile } from "typescript";
import { packageRoot } from "../schema/package-root";

/** Folders a folder may import from, besides itself. Whoever may import a folder is above it. */
const MAY_IMPORT: Record<string, string[]> = {
	schema: [],
	core: ["schema"],
	build: ["core", "schema"],
	jwk: [],
	lua: ["core", "schema"],
	plugins: ["core", "jwk", "schema"],
	pluginserver: ["plugins", "core", "jwk", "schema"],
	declarative: ["plugins", "core", "jwk", "schema"],
	local: ["declarative", "pluginserver", "plugins", "core", "jwk", "schema"],
	cli: [
		"local",
		"declarative",
		"pluginserver",
		"plugins",
		"core",
		"jwk",
		"schema",
	],
	"test-keys": ["local", "jwk"],
	examples: ["local", "jwk", "schema"],
	bench: [
		"local",
		"declarative",
		"pluginserver",
		"plugins",
		"core",
		"jwk",
		"schema",
		"test-keys",
	],
};

const ROOT = packageRoot();

/** What a text imports, types included, as it writes it. */
function namesIn(text: string): string[] {
	return preProcessFile(text, true, true).importedFiles.map(
		({ fileName }) => fileName,
	);
}

const read = (file: string) => readFileSync(join(ROOT, file), "utf8");

/** Files of ours that a file imports, by their paths from the root. */
function importsOf(file: string): string[] {
	return namesIn(read(file))
		.filter((name) => name.startsWith("."))
		.map((name) => normalize(join(dirname(file), name)));
}

const files = execFileSync("git", ["ls-files", "*.ts"], { cwd: ROOT })
	.toString()
	.trim()
	.split("\n");

test.each(Object.entries(MAY_IMPORT))(
	"%s imports nothing of ours but %j",
	(folder, allowed) => {
		const own = files.filter((file) => file.startsWith(`${folder}/`));
		const forbidden = own.flatMap((file) =>
			importsOf(file)
				.filter((target) => {
					const [room = "", ...rest] = target.split("/");
					const isFileOfRoot = rest.length === 0 && !MAY_IMPORT[room];
					return !isFileOfRoot && room !== folder && !allowed.includes(room);
				})
				// Keys for trying and testing are data, which demo and tests read.
				.filter((target) => !/^test-keys\/.*\.(json|pem)$/.test(target))
				.map((target) => `${file} imports ${target}`),
		);
		expect(own).not.toEqual([]);
		expect(forbidden).toEqual([]);
	},
);

test("core imports no package and nothing of Node.js, of schema/fields.ts types alone, and of the rest of schema/ what imports nothing", () => {
	const core = files.filter((file) => file.startsWith("core/"));
	const outside = [...core, "schema/varies.ts"].flatMap((file) => {
		const withoutTypes = read(file).replace(
			/^import type [^;]* from "(\.\.\/schema|\.)\/fields";$/m,
			"",
		);
		return namesIn(withoutTypes)
			.filter(
				(name) =>
					!file.startsWith("core/") ||
					!(name.startsWith("./") || name === "../schema/varies"),
			)
			.map((name) => `${file} imports ${name}`);
	});
	expect(outside).toEqual([]);
});

test("tests import nothing from bench/", () => {
	const own = files.filter((file) => file.startsWith("test/"));
	const imported = own.filter((file) =>
		importsOf(file).some((target) => target.startsWith("bench/")),
	);
	expect(imported).toEqual([]);
});

test("the plugin server loads the plugin from files that are one folder", () => {
	expect(
		new Set(
			files
				.filter((file) => file.startsWith("plugins/"))
				.map((file) => file.split("/")[1]),
		),
	).toEqual(new Set(["x-custom-jwt"]));
});
