/** The package of the in-process plugin for LuaRocks, which Kong's Lua plugins are installed with. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LuaFactory } from "wasmoon";
import { files, license, name, version } from "../../package.json";
import { packageRoot } from "../../schema/package-root";

const FILE = `${name}-${version}-1.rockspec`;

const rockspecs = readdirSync(packageRoot()).filter((file) =>
	file.endsWith(".rockspec"),
);

test("there is one rockspec, and its name has the version of package.json", () => {
	expect(rockspecs).toEqual([FILE]);
});

describe("the rockspec", () => {
	/** Its globals, as LuaRocks reads them. */
	let rockspec: Record<string, unknown>;

	beforeAll(async () => {
		const lua = await new LuaFactory().createEngine({ enableProxy: false });
		const text = readFileSync(join(packageRoot(), rockspecs[0] ?? ""), "utf8");
		lua.global.set("source", text);
		rockspec = lua.doStringSync(
			'local env = {} assert(load(source, "rockspec", "t", env))() return env',
		);
	});

	test("is of this version, and of the package of the release beside it", () => {
		expect(rockspec).toMatchObject({
			package: name,
			version: `${version}-1`,
			source: {
				url: `file://${name}-${version}.tgz`,
				dir: "package",
			},
			description: { license },
		});
	});

	test("installs handler and schema where Kong looks for them, from files that are in the package", () => {
		expect(rockspec.build).toEqual({
			type: "builtin",
			modules: {
				"kong.plugins.x-custom-jwt.handler": "dist/lua/handler.lua",
				"kong.plugins.x-custom-jwt.schema": "dist/lua/schema.lua",
			},
		});
		expect(files).toContain("dist/lua");
		for (const file of ["handler", "schema"])
			expect(existsSync(join(packageRoot(), `dist/lua/${file}.lua`))).toBe(
				true,
			);
	});
});
