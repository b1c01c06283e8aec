#include "lib/mail/alabel.h"

#include "lib/base/utf8.h"

/* Code points that no U-label of our making has: what IDNA would first have to map or does not allow. */
static const struct range { uint32_t from, to; } refused[] = {
  { 0x80, 0xa1 },                           /* controls, no-break space */
  { 0xc0, 0xde }, { 0x386, 0x386 }, { 0x388, 0x38f }, { 0x391, 0x3ab }, { 0x400, 0x42f }, /* capitals */
  { 0x2000, 0x206f }, { 0x3000, 0x3002 },   /* spaces, joiners, directions, other dots */
  { 0xd800, 0xf8ff },                       /* surrogates, private use */
  { 0xfe00, 0xfe0f }, { 0xfeff, 0xffff },   /* variations, full width */
  { 0xe0000, 0x10ffff },
};

static bool is_refused(uint32_t c) {
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
    if (c >= refused[i].from && c <= refused[i].to) return true;
  return false;
}

static bool is_combining(uint32_t c) { return c >= 0x300 && c <= 0x36f; }

/* RFC 3492 §5 and §6.1. */
enum { BASE = 36, T_MIN = 1, T_MAX = 26, SKEW = 38, DAMP = 700, BIAS = 72, FIRST = 0x80 };

static uint32_t adapt(uint32_t delta, uint32_t points, bool first) {
  uint32_t k = 0;
  delta = first ? delta / DAMP : delta / 2;
  delta += delta / points;
  for (; delta > (BASE - T_MIN) * T_MAX / 2; k += BASE) delta /= BASE - T_MIN;
  return k + (BASE - T_MIN + 1) * delta / (delta + SKEW);
}

static uint8_t digit(uint32_t d) { return (uint8_t)(d < 26 ? 'a' + d : '0' + d - 26); }

static void put_delta(struct buf *out, uint32_t q, uint32_t bias) {
  for (uint32_t k = BASE;; k += BASE) {
    uint32_t t = k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;
    if (q < t) break;
    buf_put_u8(out, digit(t + (q - t) % (BASE - t)));
    q = (q - t) / (BASE - t);
  }
  buf_put_u8(out, digit(q));
}

/* RFC 3492 §6.3. With at most ALABEL_MAX code points below 2^21 no number here passes 2^28. */
static void put_punycode(struct buf *out, const uint32_t *points, uint32_t count) {
  uint32_t n = FIRST, delta = 0, bias = BIAS, basic = 0;
  for (uint32_t i = 0; i < count; i++)
    if (points[i] < FIRST) buf_put_u8(out, (uint8_t)points[i]), basic++;
  if (basic) buf_put_u8(out, '-');
  for (uint32_t done = basic; done < count; delta++, n++) {
    uint32_t next = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++)
      if (points[i] >= n && points[i] < next) next = points[i];
    delta += (next - n) * (done + 1);
    n = next;
    for (uint32_t i = 0; i < count; i++) {
      if (points[i] < n) delta++;
      if (points[i] != n) continue;
      put_delta(out, delta, bias);
      bias = adapt(delta, done + 1, done == basic);
      delta = 0;
      done++;
    }
  }
}

static bool is_ldh(uint32_t c) { return c < 0x80 && (ascii_is_alnum((int)c) || c == '-' || c == '_'); }

static bool put_label(struct buf *out, struct slice label) {
  uint32_t points[ALABEL_MAX], count = 0;
  bool ascii = true;
  for (size_t n; label.n; label = slice_from(label, n)) {
    if (count == ALABEL_MAX || !(n = utf8_first(label, &points[count]))) return false;
    uint32_t c = points[count];
    if (c < 0x80 ? !is_ldh(c) : is_refused(c) || (count == 0 && is_combining(c))) return false;
    if (c < 0x80) points[count] = ascii_lower((uint8_t)c);
    ascii &= c < 0x80;
    count++;
  }
  size_t before = buf_len(out);
  if (!ascii) buf_put_str(out, "xn--");
  if (ascii)
    for (uint32_t i = 0; i < count; i++) buf_put_u8(out, (uint8_t)points[i]);
  else
    put_punycode(out, points, count);
  return count > 0 && !out->failed && buf_len(out) - before <= ALABEL_MAX;
}

bool alabel_put_domain(struct buf *out, struct slice domain) {
  if (domain.n > 1 && slice_at(domain, domain.n - 1) == '.') domain.n--;
  for (;;) {
    bool last = slice_find(domain, '.') < 0;
    if (!put_label(out, slice_split(&domain, '.'))) return false;
    if (last) return true;
    buf_put_u8(out, '.');
  }
}
