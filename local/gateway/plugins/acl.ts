import { standIn } from "./stand-in";

/** Kong's acl: lets consumers of some groups in. */
export const acl = standIn(
	950,
	{
		allow: { type: "array", items: { type: "string" }, minItems: 1 },
		deny: { type: "array", items: { type: "string" }, minItems: 1 },
		hide_groups_header: { const: false },
		always_use_authenticated_groups: { const: false },
		include_consumer_groups: { const: false },
	},
	(request, { allow, deny }, { configuration }) => {
		const { consumer } = request;
		const groups = configuration.acls
			.filter((membership) => membership.consumer.id === consumer?.id)
			.map(({ group }) => String(group));
		// Kong (acl/handler.lua): nobody is 401, somebody of no such group 403.
		if (!consumer) return request.error(401, "Unauthorized");
		if (!isAllowed({ allow, deny }, groups))
			return request.error(403, "You cannot consume this service");
	},
);

/** Whether acl lets a consumer of some groups in. */
export function isAllowed(
	{ allow, deny = [] }: { allow?: string[]; deny?: string[] },
	groups: string[],
): boolean {
	return allow
		? groups.some((group) => allow.includes(group))
		: !groups.some((group) => deny.includes(group));
}
