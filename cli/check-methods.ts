/** What the plugins on a route mean for the methods that an entry on it accepts. */
import { configOf, type PluginEntry } from "../declarative/model";
import type { Finding } from "./check";

/** A finding whose place is the route. */
type RouteFinding = Pick<Finding, "severity" | "message">;

/** Plugins whose credential has a `username`, so that each is the method `basic` (docs/auth-plugins.md). */
const USERNAME_PLUGINS = [
	"basic-auth",
	"hmac-auth",
	"ldap-auth",
	"ldap-auth-advanced",
];

/** The fields of an entry of this plugin that decide who is accepted. */
type MethodFields = Partial<
	Record<"auth_methods" | "unauthenticated" | "set_claims", unknown>
>;

/**
 * Checks whether the security plugins on a route suit the methods that are accepted there.
 *
 * @param route its name
 * @param plugins the entries on the route, of every plugin
 */
export function checkMethods(
	route: string,
	plugins: readonly PluginEntry[],
	fields: MethodFields,
): RouteFinding[] {
	const methods: unknown[] = Array.isArray(fields.auth_methods)
		? fields.auth_methods
		: [];
	return [
		...ofOpenidConnect(route, plugins, methods),
		...ofKeysAlone(route, plugins, methods, fields),
		...ofUsernames(route, plugins, fields),
	];
}

function ofOpenidConnect(
	route: string,
	plugins: readonly PluginEntry[],
	methods: unknown[],
): RouteFinding[] {
	const entry = plugins.find(({ name }) => name === "openid-connect");
	if (!methods.includes("oidc"))
		return entry
			? [
					{
						severity: "warning",
						message: `openid-connect guards route ${route}, but auth_methods does not have oidc: its clients are rejected with 401`,
					},
				]
			: [];
	if (!entry)
		return [
			{
				severity: "error",
				message: `auth_methods has oidc, but openid-connect does not guard route ${route}: a client of another plugin could add a Bearer token of its own making. Remove oidc, or put openid-connect on the route`,
			},
		];
	const { auth_methods: accepted, hide_credentials: hides } = configOf(entry);
	const findings: RouteFinding[] = [];
	if (JSON.stringify(accepted) !== '["bearer"]')
		findings.push({
			severity: "error",
			message: `openid-connect on route ${route} accepts more than Bearer tokens, so that a client with a session, say, could add a Bearer token of its own making: set auth_methods: [bearer] in its configuration`,
		});
	if (hides !== false)
		findings.push({
			severity: hides ? "error" : "warning",
			message: `openid-connect on route ${route} takes the Bearer token away ${hides ? "with hide_credentials" : "since Kong 3.14, where hide_credentials is true by default"}, so that its claims cannot be signed: set hide_credentials: false`,
		});
	return findings;
}

/** With `key` alone, everybody whom another plugin lets through is rejected, which is not how a route is meant. */
function ofKeysAlone(
	route: string,
	plugins: readonly PluginEntry[],
	methods: unknown[],
	{ unauthenticated = "reject" }: MethodFields,
): RouteFinding[] {
	if (methods.join() !== "key") return [];
	const findings: RouteFinding[] = [];
	if (plugins.some(({ name }) => name === "session"))
		findings.push({
			severity: "error",
			message: `session guards route ${route} too, but auth_methods has key only: its clients are rejected with 401. Add consumer to auth_methods, or remove session`,
		});
	const withAnonymous = plugins.find((plugin) => configOf(plugin).anonymous);
	if (withAnonymous && unauthenticated === "reject")
		findings.push({
			severity: "error",
			message: `${withAnonymous.name} on route ${route} lets an anonymous consumer through, but auth_methods has key only: it is rejected with 401. Remove anonymous, or set unauthenticated`,
		});
	return findings;
}

function ofUsernames(
	route: string,
	plugins: readonly PluginEntry[],
	{ set_claims }: MethodFields,
): RouteFinding[] {
	const names = plugins
		.map(({ name }) => name)
		.filter((name) => USERNAME_PLUGINS.includes(name));
	if (
		names.length < 2 ||
		/\$\((auth\.plugin|credential\.id)\b/.test(JSON.stringify(set_claims) ?? "")
	)
		return [];
	return [
		{
			severity: "warning",
			message: `${names.join(" and ")} guard route ${route} and are all the method basic: users of one name get equal tokens. Add auth_plugin: $(auth.plugin) to set_claims`,
		},
	];
}
