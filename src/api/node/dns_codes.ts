/** Codes of errors, by the names that `node:dns` and `node:dns/promises` have for them. */
/** The name has no records of this type. */
export const NODATA = "ENODATA";
/** The server did not understand the question. */
export const FORMERR = "EFORMERR";
/** The server failed. */
export const SERVFAIL = "ESERVFAIL";
/** There is no such name. */
export const NOTFOUND = "ENOTFOUND";
/** The server does not do that. */
export const NOTIMP = "ENOTIMP";
/** The server refused. */
export const REFUSED = "EREFUSED";
/** The question is not well-formed. */
export const BADQUERY = "EBADQUERY";
/** The name is not well-formed. */
export const BADNAME = "EBADNAME";
/** The family of addresses is not known. */
export const BADFAMILY = "EBADFAMILY";
/** The answer is not well-formed. */
export const BADRESP = "EBADRESP";
/** No server could be reached. */
export const CONNREFUSED = "ECONNREFUSED";
/** No server answered in time. */
export const TIMEOUT = "ETIMEOUT";
/** A file ended too soon. */
export const EOF = "EOF";
/** A file could not be read. */
export const FILE = "EFILE";
/** There was no memory. */
export const NOMEM = "ENOMEM";
/** The resolver is being taken down. */
export const DESTRUCTION = "EDESTRUCTION";
/** A text is not well-formed. */
export const BADSTR = "EBADSTR";
/** Flags that can not be meant. */
export const BADFLAGS = "EBADFLAGS";
/** The name is no name. */
export const NONAME = "ENONAME";
/** Hints that can not be meant. */
export const BADHINTS = "EBADHINTS";
/** The resolver was not set up. */
export const NOTINITIALIZED = "ENOTINITIALIZED";
/** A library of Windows could not be loaded. */
export const LOADIPHLPAPI = "ELOADIPHLPAPI";
/** A function of Windows was not found. */
export const ADDRGETNETWORKPARAMS = "EADDRGETNETWORKPARAMS";
/** The question was cancelled. */
export const CANCELLED = "ECANCELLED";
