// The spelling in which policies compare names, for this folder. It stands in shared, because who verifies identities
// needs the same one and must not import policies.

export { domainOf, normaliseDomain, normaliseEmail, normaliseName } from "@sallyport/shared/names";
