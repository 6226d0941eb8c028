/** Decides from the name of a field whether its value is secret, and recognises values that are prose. */

export type NameKind =
  /** Certainly a secret: "client_secret", "X-Api-Key". */
  | 'secret'
  /** A secret that a person chose, maybe of several words: "password". */
  | 'phrase'
  /** A secret, with or without a scheme before it: "Authorization". */
  | 'authorization'
  | 'cookie'
  /** Often no secret: "key", "session". */
  | 'weak'
  /** `?code=` in an address: a secret if it is long. */
  | 'code'
  /** A scheme, followed by the secret: "Bearer", "Key". */
  | 'bearer'
  | 'scheme'
  /** A scheme, followed by parameters with the secret: "Digest". */
  | 'parameters'
  /** As "phrase" and "secret", but only a space separates the name from the possible value. */
  | 'bare-phrase'
  | 'bare-secret';

/** The separator between a name and its value. */
export type Tie = 'assigned' | 'is' | 'space';

/**
 * The kind of secret that a name announces; null: none.
 * @param before the text directly before the name
 */
export function classifyName(name: string, before: string, tie: Tie): NameKind | null {
  const isFlag = name.startsWith('-');
  const isSpaced = tie === 'space' && !isFlag;
  // After a full stop another sentence begins.
  if (isSpaced && name.endsWith('.')) return null;
  const words = wordsOf(name.slice(-80));
  const last = words.at(-1) ?? '';
  if (isSpaced) return classifySpaced(name, last);
  // "API key": two words of prose that make one name.
  const previous = words.at(-2) ?? /(\p{L}{1,20})\s$/u.exec(before)?.[1]?.toLowerCase() ?? '';
  const kind = classifyWords(last, previous, words.length);
  if (kind === null && last === 'code' && /(?:[?&]|%3f|%26)$/i.test(before)) return 'code';
  if (tie === 'assigned' || isFlag) return kind ?? (isScheme(name) ? 'scheme' : classifyBefore(before));
  return kind === 'phrase' ? 'phrase' : kind === 'secret' || kind === 'weak' ? 'bare-secret' : null;
}

/** "Password for the user: …", "API key provided: …". */
function classifyBefore(before: string): NameKind | null {
  const said = /(pass\p{L}{4,6}|token|secret|api key)\s(?:\p{L}{1,12}\s){0,2}$/iu.exec(before)?.[1];
  if (said === undefined) return null;
  return PHRASE.test(said.toLowerCase()) ? 'bare-phrase' : 'bare-secret';
}

function classifySpaced(name: string, last: string): NameKind | null {
  if (last === 'bearer' || SURE_SCHEMES.has(name.toLowerCase())) return 'bearer';
  if (/^(?:passphrase|mnemonic)$/.test(last)) return 'phrase';
  if (PHRASE.test(last)) return 'bare-phrase';
  if (SCHEMES_WITH_PARAMETERS.has(name.toLowerCase())) return 'parameters';
  if (SCHEMES.has(last) || SCHEMES.has(name.toLowerCase())) return 'scheme';
  return SECRET.test(last) || last === 'key' ? 'bare-secret' : null;
}

function classifyWords(last: string, previous: string, count: number): NameKind | null {
  if (AUTHORIZATION.test(last)) return 'authorization';
  if (COOKIE.test(last)) return 'cookie';
  if (PHRASE.test(last)) return 'phrase';
  if (last === 'bearer') return 'bearer';
  if (SECRET.test(last)) return 'secret';
  if (last === 'id' && previous === 'session') return 'secret';
  if (last === 'string' && previous === 'connection') return 'secret';
  if (last === 'pass' && count > 1) return 'phrase';
  if (last === 'phrase' && PHRASES.has(previous)) return 'phrase';
  if (last === 'key' || last === 'keys')
    return SECRET_KEYS.has(previous) || (count > 1 && !OTHER_KEYS.has(previous)) ? 'secret' : 'weak';
  return WEAK.has(last) ? 'weak' : null;
}

const ONE_WORD = /^[A-Za-z]?(?:[a-z]*|[A-Z]*)$/;

/** The words of a name, without qualifiers at the end: "X-Hub-Signature-256" is x, hub, signature. */
function wordsOf(name: string): readonly string[] {
  if (ONE_WORD.test(name)) return [name.toLowerCase()];
  const words = name
    .normalize('NFKC')
    .replace(/(\p{Ll})(?=\p{Lu})/gu, '$1 ')
    .toLowerCase()
    .split(/[^\p{L}]+/u)
    .filter((word) => word !== '');
  while (words.length > 1 && QUALIFIERS.has(words.at(-1) ?? '')) words.pop();
  return words;
}

/** Whether the text in the place of a value is prose: "must be a string", "expired". */
export function isProse(value: string): boolean {
  const word = /^[("'[<]?(\p{L}{1,20})(?![\p{L}\p{N}_@=+/-])/u.exec(value)?.[1];
  return word !== undefined && PROSE.has(word.toLowerCase());
}

/** Whether a word is an authentication scheme, which a secret may follow: "Basic". */
export function isScheme(word: string): boolean {
  const scheme = word.toLowerCase();
  return scheme === 'bearer' || SURE_SCHEMES.has(scheme) || SCHEMES.has(scheme) || SCHEMES_WITH_PARAMETERS.has(scheme);
}

const list = (words: string): ReadonlySet<string> => new Set(words.split(/,\s*/));

const PHRASE =
  /(?:password|passwd|passphrase|passcode|mnemonic|passwort|kennwort|wachtwoord|lösenord|passord|adgangskode|contraseña|senha|hasło|heslo|parola|şifre|jelszó|salasana|пароль|密码|密碼|口令|パスワード|비밀번호)s?$|^(?:pwd|pw|userpwd|dbpass|userpass|passe|clave|pin|otp|totp|cvv|cvc)$/u;
const PHRASES = list('secret,seed,recovery,pass,backup');
const SECRET =
  /(?:token|secret|signature|credential|hmac|jwt|sessid|sessionid|csrf|xsrf|(?:api|app|access|auth|client|private|secret|server|signing|write|dev|account|license|encryption|master|service|shared|project)key)s?$|^(?:sig|sid)$/;
const AUTHORIZATION = /authorization$|^authentication$/;
const COOKIE = /cookies?$/;
const WEAK = list('session,auth,pass,hash,nonce');
const QUALIFIERS = list(
  'v,value,header,raw,base,hex,b,prod,production,live,test,staging,dev,old,new,current,primary,secondary,encoded,plain,text',
);

/** Kinds of keys that grant access, and kinds that only identify something. */
const SECRET_KEYS = list(
  'api,app,application,access,auth,authentication,client,private,secret,server,signing,signature,write,read,dev,developer,project,master,encryption,license,subscription,account,admin,service,rest,sdk,shared,webhook,ingestion,integration,security,storage,ssh',
);
const OTHER_KEYS = list(
  'primary,foreign,partition,sort,property,event,cache,public,idempotency,object,map,json,hash,field,missing,invalid,unknown,duplicate,unexpected,required,reserved,unsupported,bad,index,row,entity,message,routing,translation,dedup,insert',
);

const SCHEMES = list(
  'basic,token,key,apikey,api-key,hmac,sharedkey,sharedkeylite,aws,jwt,geniekey,private-token,splunk,bot,negotiate,ntlm',
);
/** Schemes that are not words of a sentence, so a secret almost certainly follows. */
const SURE_SCHEMES = list('apikey,sharedkey,sharedkeylite,geniekey,private-token,hmac-sha1,hmac-sha256,hmac-sha512');
const SCHEMES_WITH_PARAMETERS = list(
  'digest,hawk,oauth,mac,signature,sharedaccesssignature,googlelogin,aws4-hmac-sha256',
);

const PROSE = list(
  `a,about,already,an,and,are,as,at,authentication,auth,authorization,be,been,being,belongs,but,by,can,cannot,case,contains,could,
  couldn,denied,deprecated,disabled,does,doesn,doesnt,don,empty,error,expected,expiration,expired,expires,failed,failure,field,fields,for,forbidden,format,
  found,from,generation,had,has,hasn,have,header,headers,if,in,inactive,incorrect,incorrectly,invalid,is,isn,it,kind,length,limit,lookup,malformed,
  mandatory,may,mismatch,mismatched,missing,mode,must,name,names,needed,needs,neither,no,none,not,null,of,on,or,parameter,parameters,
  parse,please,policy,provided,realm,refresh,rejected,rejection,request,required,requires,reset,revoked,rotated,scheme,should,signature,size,
  supplied,than,that,the,this,to,token,tokens,too,type,types,undefined,unknown,unexpected,unsupported,unable,unauthorized,unauthenticated,unavailable,update,
  used,using,validation,value,values,verification,was,wasn,when,which,while,will,with,without,wrong,you,your,true,false,yes,string,number`,
);
