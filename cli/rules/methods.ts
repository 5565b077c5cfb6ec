/** What the security plugins on a route mean for the methods that an entry on it accepts. */
import { configOf, type PluginEntry } from "../../declarative/model";
import { onRoute, routesWithTokens } from "./routes";
import type { Found, Said } from "./rule";
import type { CheckedEntry, CheckedRoute } from "./subjects";

/** Plugins whose credential has a `username`, so that each is the method `basic` (docs/auth-plugins.md). */
const USERNAME_PLUGINS = [
	"basic-auth",
	"hmac-auth",
	"ldap-auth",
	"ldap-auth-advanced",
];

/** What a rule of this file looks at. */
interface Guarded extends CheckedRoute {
	/** The name of the route, for messages. */
	name: string;
	/** The accepted methods that the entry names; the default has no `oidc` and more than `key`. */
	methods: unknown[];
	config: CheckedEntry["config"];
}

/** Says something about each route with tokens. */
function onEachRoute(
	checked: CheckedEntry,
	say: (guarded: Guarded) => Said | undefined,
): Found[] {
	const { config, asides } = checked;
	if (asides.has("auth_methods")) return [];
	const methods: unknown[] = [config.auth_methods ?? []].flat();
	return routesWithTokens(checked).flatMap((one) => {
		const said = say({ ...one, name: one.route.name, methods, config });
		return said ? [onRoute(checked, one, said)] : [];
	});
}

function openidConnect({ plugins }: CheckedRoute): PluginEntry | undefined {
	return plugins.find(({ name }) => name === "openid-connect");
}

export function oidcNotAccepted(checked: CheckedEntry): Found[] {
	return onEachRoute(checked, (guarded) =>
		openidConnect(guarded) && !guarded.methods.includes("oidc")
			? {
					message: `openid-connect guards route ${guarded.name}, but auth_methods does not have oidc: its clients are rejected with 401`,
					cure: "Add oidc to auth_methods.",
				}
			: undefined,
	);
}

export function oidcWithoutOpenidConnect(checked: CheckedEntry): Found[] {
	return onEachRoute(checked, (guarded) =>
		guarded.methods.includes("oidc") && !openidConnect(guarded)
			? {
					message: `auth_methods has oidc, but openid-connect does not guard route ${guarded.name}: a client of another plugin could add a Bearer token of its own making`,
					cure: "Remove oidc, or put openid-connect on the route.",
				}
			: undefined,
	);
}

/** Says something about the configuration of openid-connect, where its Bearer tokens are signed. */
function ofOpenidConnect(
	checked: CheckedEntry,
	say: (name: string, config: Record<string, unknown>) => Said | undefined,
): Found[] {
	return onEachRoute(checked, (guarded) => {
		const plugin = openidConnect(guarded);
		return plugin && guarded.methods.includes("oidc")
			? say(guarded.name, configOf(plugin))
			: undefined;
	});
}

export function oidcWithSession(checked: CheckedEntry): Found[] {
	return ofOpenidConnect(checked, (name, { auth_methods }) =>
		JSON.stringify(auth_methods) === '["bearer"]'
			? undefined
			: {
					message: `openid-connect on route ${name} accepts more than Bearer tokens, so that a client with a session, say, could add a Bearer token of its own making`,
					cure: "Set auth_methods: [bearer] in the configuration of openid-connect.",
				},
	);
}

const KEEP =
	"Set hide_credentials: false in the configuration of openid-connect.";

export function oidcTokenHidden(checked: CheckedEntry): Found[] {
	return ofOpenidConnect(checked, (name, { hide_credentials }) =>
		hide_credentials
			? {
					message: `openid-connect on route ${name} takes the Bearer token away with hide_credentials, so that its claims cannot be signed`,
					cure: KEEP,
				}
			: undefined,
	);
}

export function oidcTokenMayBeHidden(checked: CheckedEntry): Found[] {
	return ofOpenidConnect(checked, (name, { hide_credentials }) =>
		hide_credentials === undefined
			? {
					message: `openid-connect on route ${name} takes the Bearer token away since Kong 3.14, where hide_credentials is true by default, so that its claims cannot be signed`,
					cure: KEEP,
				}
			: undefined,
	);
}

/** Whether API keys alone are accepted: then everybody whom another plugin lets through is rejected. */
function acceptsKeysAlone({ methods }: Guarded): boolean {
	return methods.join() === "key";
}

export function sessionRejected(checked: CheckedEntry): Found[] {
	return onEachRoute(checked, (guarded) =>
		acceptsKeysAlone(guarded) &&
		guarded.plugins.some(({ name }) => name === "session")
			? {
					message: `session guards route ${guarded.name} too, but auth_methods has key only: its clients are rejected with 401`,
					cure: "Add consumer to auth_methods, or remove session.",
				}
			: undefined,
	);
}

export function anonymousRejected(checked: CheckedEntry): Found[] {
	return onEachRoute(checked, (guarded) => {
		const { unauthenticated = "refuse" } = guarded.config;
		const plugin = guarded.plugins.find((one) => configOf(one).anonymous);
		return plugin && acceptsKeysAlone(guarded) && unauthenticated === "refuse"
			? {
					message: `${plugin.name} on route ${guarded.name} lets an anonymous consumer through, but auth_methods has key only: it is rejected with 401`,
					cure: "Remove anonymous, or set unauthenticated.",
				}
			: undefined;
	});
}

export function usernamesNotToldApart(checked: CheckedEntry): Found[] {
	return onEachRoute(checked, ({ name, plugins, config }) => {
		const names = plugins
			.map((plugin) => plugin.name)
			.filter((one) => USERNAME_PLUGINS.includes(one));
		const claims = JSON.stringify(config.set_claims) ?? "";
		if (names.length < 2 || /\$\((auth\.plugin|credential\.id)\b/.test(claims))
			return undefined;
		return {
			message: `${names.join(" and ")} guard route ${name} and are all the method basic: users of one name get equal tokens`,
			cure: "Add auth_plugin: $(auth.plugin) to set_claims.",
		};
	});
}
