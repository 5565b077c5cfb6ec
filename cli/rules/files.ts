/** What stands in the files besides the entries' own fields: YAML, names, and what is not read. */
import { isMap, isScalar, type Pair, type Scalar, type YAMLMap } from "yaml";
import type { Entity, PluginEntry } from "../../declarative/model";
import { leftOverIn } from "../../declarative/references";
import { lookup, rootOf, type SourceFile, walk } from "../../declarative/text";
import { quoted } from "../../jwk/printable";
import { Name } from "../../plugins/x-custom-jwt";
import { mostSimilar } from "../similar";
import { at, type Found } from "./rule";
import type { Check } from "./subjects";

/** The files that could be read. */
function readable({ configuration: { files } }: Check): SourceFile[] {
	return files.filter(({ faults }) => !faults.length);
}

export function unreadable({ configuration: { files } }: Check): Found[] {
	return files.flatMap((file) =>
		file.faults.map(({ message, offset }) => ({
			file,
			offset,
			message,
			cure: "Correct the file here; until then nothing else in it is checked.",
		})),
	);
}

/** Plugins whose configuration is code, in which a dollar sign may be anything. */
const CODE = ["pre-function", "post-function", "exit-transformer"];

export function unfilledVariable(check: Check): Found[] {
	const code = new Set(
		[...check.configuration.plugins, ...check.configuration.disabledPlugins]
			.filter(({ name }) => CODE.includes(name))
			.flatMap(({ configs }) => configs),
	);
	return readable(check).flatMap((file) => {
		const found: Found[] = [];
		walk(rootOf(file), (node, names, isName) => {
			if (names[0] === "custom_plugins" || (isMap(node) && code.has(node)))
				return false;
			if (isName || !isScalar(node) || typeof node.value !== "string") return;
			const variable = leftOverIn(node.value);
			if (variable)
				found.push(
					at(file, node, {
						message: `${variable} was not filled in: Kong takes it for the text itself`,
						cure: "Fill it in before, e.g. with envsubst, or use decK's own variables.",
					}),
				);
		});
		return found;
	});
}

const EVERY = ["_comment", "_ignore", "created_at", "id", "tags", "updated_at"];

/** The members of entities, as of Kong 3.9 and decK. */
const MEMBERS = {
	plugin:
		"_config condition config consumer consumer_group enabled instance_name name ordering partials protocols route service",
	service:
		"ca_certificates client_certificate connect_timeout enabled host name path plugins port protocol read_timeout retries routes tls_sans tls_verify tls_verify_depth url write_timeout",
	route:
		"destinations expression headers hosts https_redirect_status_code methods name path_handling paths plugins preserve_host priority protocols regex_priority request_buffering response_buffering service snis sources strip_path",
	consumer:
		"acls basicauth_credentials consumer_groups custom_id groups hmacauth_credentials jwt_secrets keyauth_credentials keyauth_enc_credentials mtls_auth_credentials oauth2_credentials plugins username",
};

/** What a file may have, and is read here. */
const READ = [
	"_comment",
	"_format_version",
	"_ignore",
	"_info",
	"_plugin_configs",
	"acls",
	"add-plugins",
	"consumer_groups",
	"consumers",
	"jwt_secrets",
	"plugins",
	"routes",
	"services",
	"vaults",
];

/** What a file may have besides. */
const NOT_READ = [
	"_konnect",
	"_transform",
	"_workspace",
	"basicauth_credentials",
	"ca_certificates",
	"certificates",
	"consumer_group_consumers",
	"consumer_group_plugins",
	"custom_plugins",
	"filter_chains",
	"hmacauth_credentials",
	"key_sets",
	"keyauth_credentials",
	"keyauth_enc_credentials",
	"keys",
	"licenses",
	"mtls_auth_credentials",
	"oauth2_credentials",
	"partials",
	"rbac_roles",
	"snis",
	"targets",
	"upstreams",
];

/** The keys of a map, each with its name. */
function keysOf(map: YAMLMap): { name: string; key: Scalar }[] {
	return map.items.flatMap(({ key }: Pair) =>
		isScalar(key) && typeof key.value === "string"
			? [{ name: key.value, key }]
			: [],
	);
}

/** Nobody reads more of one map. */
const MOST_UNKNOWN = 100;

/** Each map whose members are known. */
function mapsOf(check: Check) {
	const { services, routes, consumers, plugins, disabledPlugins } =
		check.configuration;
	const named = (entities: readonly Entity[], kind: keyof typeof MEMBERS) =>
		entities.map(({ file, map }) => ({
			file,
			map,
			known: [...EVERY, ...MEMBERS[kind].split(" ")],
		}));
	const all = [
		...readable(check).map((file) => ({
			file,
			map: rootOf(file),
			known: [...READ, ...NOT_READ],
		})),
		...named(services, "service"),
		...named(routes, "route"),
		...named(consumers, "consumer"),
		...named([...plugins, ...disabledPlugins], "plugin"),
	];
	// Aliases stand for one map.
	return new Map(all.map((one) => [one.map, one])).values();
}

export function misspeltMember(check: Check): Found[] {
	return [...mapsOf(check)].flatMap(({ file, map, known }) => {
		const unknown = keysOf(map).filter(({ name }) => !known.includes(name));
		return unknown.slice(0, MOST_UNKNOWN).flatMap(({ name, key }) => {
			const meant = mostSimilar(
				name,
				// Names of one's own, for anchors, begin with an underscore too.
				known.filter((one) => one.startsWith("_") === name.startsWith("_")),
			);
			return meant === undefined
				? []
				: [
						at(file, key, {
							message: `${quoted(name)} is not a member that Kong or decK knows here`,
							cure: `Did you mean ${meant}?`,
						}),
					];
		});
	});
}

export function notRead(check: Check): Found[] {
	return readable(check).flatMap((file) => {
		const found = keysOf(rootOf(file)).filter(({ name }) =>
			NOT_READ.includes(name),
		);
		const [first] = found;
		return first
			? [
					at(file, first.key, {
						message: `not read here, as they do not change what the plugin does: ${found.map(({ name }) => name).join(", ")}`,
						cure: "Nothing has to be done.",
					}),
				]
			: [];
	});
}

/** Whether the name of a plugin is probably a misspelt `x-custom-jwt`. */
function isMisspelt(name: string): boolean {
	const bare = name.replace(/^kong-plugin-/, "");
	return name !== Name && (bare === Name || mostSimilar(bare, [Name]) === Name);
}

export function misspeltPlugin({ configuration }: Check): Found[] {
	const { plugins, disabledPlugins } = configuration;
	return [...plugins, ...disabledPlugins]
		.filter(({ name }) => isMisspelt(name))
		.map((entry) =>
			at(entry.file, nameNode(entry), {
				message: `${quoted(entry.name)} on ${entry.scope} is not the name of this plugin, so the entry was not checked, and Kong rejects the file if it has no such plugin`,
				cure: `Did you mean ${Name}?`,
			}),
		);
}

function nameNode({ file, map }: PluginEntry) {
	return lookup(file, map, "name") ?? map;
}

export function disabledEntry({ configuration }: Check): Found[] {
	return configuration.disabledPlugins
		.filter(({ name }) => name === Name)
		.map(({ file, map, scope }) =>
			at(file, lookup(file, map, "enabled") ?? map, {
				message: `${Name} on ${scope} is disabled, so requests pass without a token, and the entry was not checked`,
				cure: "Enable it, or remove the entry.",
			}),
		);
}

/** What makes an entry that was not checked: then a file is not without entries. */
function hasOthers(check: Check): boolean {
	return disabledEntry(check).length > 0 || misspeltPlugin(check).length > 0;
}

export function noEntry(check: Check): Found[] {
	const [file] = readable(check);
	if (check.entries.length || !file || hasOthers(check)) return [];
	return [
		at(file, undefined, {
			message: `no plugin entry of ${Name} was found, so nothing was checked`,
			cure: "Give the file that has the entry, or all files of the configuration at once.",
		}),
	];
}

export function noEntryInFile(check: Check): Found[] {
	if (!check.entries.length) return [];
	const files = new Set(check.entries.map(({ entry }) => entry.file));
	return readable(check)
		.filter((file) => !files.has(file))
		.map((file) =>
			at(file, undefined, {
				message: `no plugin entry of ${Name} in this file`,
				cure: "Nothing has to be done if it is in another file.",
			}),
		);
}
