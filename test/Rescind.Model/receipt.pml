/*
 * One epoch of the log: leases, checks, receipts. Two nodes follow the log, a third one revokes.
 *
 * The revocation is entry E; entry X comes after it. Every process may stand still between any two of its steps
 * for any time: that is what a freeze and a resume are. Time is counted by timers that stop at a value behind
 * which nothing differs, so lives have no end and the search is over all of them.
 *
 * A define named after a mistake makes it; without one the protocol is right. See README.md.
 */
#ifndef NODES
#define NODES 2
#endif
#ifndef BOUND
#define BOUND 4                     /* the freshness bound, in ticks */
#endif
#if NODES == 1                      /* what two nodes would make too large to search */
#define WITH_X
#define WITH_STUCK
#define WITH_SILENCE
#endif
#define WAIT (BOUND * 5 / 4)        /* the writer's wait */
#define OVER (BOUND + 1)            /* the age of a lease that is over, or that there never was */

#ifdef FAST_CLOCK                   /* the writer's clock may gain one tick in a wait */
#define GAIN 1
#else
#define GAIN 0
#endif

#ifdef WAIT_ONE_BOUND
#define LONG_ENOUGH(timer) (timer + GAIN >= BOUND)
#else
#define LONG_ENOUGH(timer) (timer + GAIN >= WAIT)
#endif

bit isChecking;                     /* checks change nothing, so one at a time is as good as many */

/* The log. */
bit hasE, hasX;
typedef Record {
  bit listed;                       /* the registry has it */
  bit confirmed;                    /* its position is at E or behind */
};
Record record[NODES];

/* A node. */
typedef Node {
  bit knowsE, knowsX;               /* its index */
  byte lease;                       /* the age of its newest lease, by when the read was sent */
  byte sent;                        /* the time since the read under way was sent */
  byte held;                        /* the age of the lease that the check under way has loaded */
  bit isStuck;                      /* the log holds something that this node cannot read */
};
Node node[NODES];

/* What the writer has seen of a node. Heartbeat counters grow for ever; only which of them are equal matters. */
typedef Seen {
  bit isKnown;
  bit isCurrent;                    /* the counter seen last is the one in the registry */
  byte since;                       /* the time since it was first seen */
  bit isExpected;                   /* listed when E was appended, so it may hold a lease */
  bit wasSeen;                      /* the counter in the registry then had been seen before */
  bit seenIsThen;                   /* the counter seen last is the one at the append */
  bit nowIsThen;                    /* the counter in the registry is the one at the append */
  bit hasConfirmed;
  bit isGivenUp, isSameBeat;        /* a deletion under way, and whether it would still find its counter */
};
Seen seen[NODES];
byte answered;                      /* the time since the answer to the append; with a mistake: since its send */
bit isCounting;
bit everywhere;                     /* the receipt is given */

inline Beat(i) {
#ifdef WITH_SILENCE
  if
  :: !node[i].isStuck -> seen[i].isCurrent = 0; seen[i].nowIsThen = 0; seen[i].isSameBeat = 0
  :: else
  fi
#else
  skip
#endif
}

inline Age(timer, limit) {
  if
  :: timer < limit -> timer++
  :: else
  fi
}

/* Time passes, announcements arrive or do not, another node appends X. */
active proctype World() {
  byte i;
end:
  do
  :: d_step {
       i = 0;
       do
       :: i < NODES ->
          Age(node[i].lease, OVER); Age(node[i].sent, OVER); Age(node[i].held, OVER);
          if
          :: seen[i].isKnown -> Age(seen[i].since, WAIT)
          :: else
          fi;
          i++
       :: else -> break
       od;
       if
       :: isCounting -> Age(answered, WAIT)
       :: else
       fi;
       i = 0
     }
  :: d_step { hasE && !node[0].knowsE -> node[0].knowsE = 1 }
#ifdef WITH_X
  :: d_step { hasE && !hasX -> hasX = 1 }
  :: d_step { hasX && !node[0].knowsX -> node[0].knowsX = 1 }
#endif
#if NODES > 1
  :: d_step { hasE && !node[1].knowsE -> node[1].knowsE = 1 }
#endif
  od
}

/* Reads on, applies, and then publishes a lease. */
proctype Feed(byte i) {
  bit claim, answerE, answerX, wasStuck;
end:
  do
  :: d_step {                       /* send */
       node[i].sent = 0;
       wasStuck = node[i].isStuck;
#ifdef PUSH_SKIPS_GAP
       claim = node[i].knowsE || node[i].knowsX
#else
       claim = node[i].knowsE
#endif
     }
     if
     :: d_step {                    /* the script runs */
          answerE = hasE; answerX = hasX;
#ifndef REGISTER_LATE
          record[i].listed = 1; Beat(i);
#endif
#ifdef CONFIRM_BEFORE_APPLY
          claim = claim || answerE;
#endif
          record[i].confirmed = record[i].confirmed || claim
        }
        if
        :: skip;                    /* the answer arrives */
#ifdef REGISTER_LATE
           d_step { record[i].listed = 1; Beat(i) }
#endif
           if
#ifdef WITH_STUCK
           :: node[i].isStuck = 1   /* it holds what this node cannot read */
#endif
           :: d_step {
                node[i].isStuck = 0;
#ifdef LEASE_AT_ARRIVAL
                node[i].sent = 0;
#endif
#ifdef LEASE_BEFORE_ENTRIES
                node[i].lease = node[i].sent
#else
                node[i].knowsE = node[i].knowsE || answerE;
                node[i].knowsX = node[i].knowsX || answerX
#endif
              }
#ifdef LEASE_BEFORE_ENTRIES
              d_step { node[i].knowsE = node[i].knowsE || answerE; node[i].knowsX = node[i].knowsX || answerX }
#else
              if
#ifndef LEASE_BY_SAME_BEAT
              :: wasStuck           /* its counter has stood still, so others take it for silent */
              :: !wasStuck ->
#else
              :: true ->
#endif
                 node[i].lease = node[i].sent
              fi
#endif
           fi
        :: skip                     /* it is lost */
        fi
     :: skip                        /* the call is lost */
     fi;
     d_step { node[i].sent = OVER; claim = 0; answerE = 0; answerX = 0; wasStuck = 0 }
  :: break                          /* leaves */
  od;
#ifdef LEAVE_THE_LIST_FIRST
  true;
  d_step { record[i].listed = 0; record[i].confirmed = 0; Beat(i) }
  node[i].lease = OVER
#else
  node[i].lease = OVER;
  d_step { record[i].listed = 0; record[i].confirmed = 0; Beat(i) }
#endif
}

/* A check that begins after the receipt. */
proctype Check(byte i) {
  bit isHit, isFresh;
end:
  do
  :: atomic { everywhere && !isChecking -> isChecking = 1 };
#ifdef PROBE_FIRST
     isHit = node[i].knowsE;
     node[i].held = node[i].lease;
     isFresh = node[i].held <= BOUND;
#else
     node[i].held = node[i].lease;
     isHit = node[i].knowsE;
     isFresh = node[i].held <= BOUND;
#endif
#ifdef EXPIRED_LEASE
     isFresh = 1;
#endif
     assert(isHit || !isFresh);     /* promise 1 */
     d_step { node[i].held = OVER; isHit = 0; isFresh = 0; isChecking = 0 }
  od
}

/* A heartbeat of the writer brings the registry. */
inline Look(i) {
#ifdef WITH_SILENCE
  if
  :: !record[i].listed -> seen[i].isKnown = 0; seen[i].isCurrent = 0; seen[i].since = 0; seen[i].seenIsThen = 0
  :: record[i].listed && !(seen[i].isKnown && seen[i].isCurrent) ->
     seen[i].isKnown = 1; seen[i].isCurrent = 1; seen[i].since = 0; seen[i].seenIsThen = seen[i].nowIsThen
  :: else
  fi;
#endif
  seen[i].hasConfirmed = seen[i].hasConfirmed || (isCounting && record[i].listed && record[i].confirmed)
}

inline LookAtAll() {
  Look(0);
#if NODES > 1
  Look(1);
#endif
  skip
}

/* Gives a silent node up: compare and delete. The product waits for five bounds, here it is one and a quarter. */
inline BeginToGiveUp(i) {
  seen[i].isKnown && LONG_ENOUGH(seen[i].since) && !seen[i].isGivenUp ->
  seen[i].isGivenUp = 1;
  seen[i].isSameBeat = seen[i].isCurrent
}

inline GiveUp(i) {
  seen[i].isGivenUp ->
  if
#ifdef FORGET_BY_TIME
  :: true ->
#else
  :: seen[i].isSameBeat ->
#endif
     record[i].listed = 0; record[i].confirmed = 0
  :: else
  fi;
  seen[i].isGivenUp = 0;
  seen[i].isSameBeat = 0
}

#ifdef DEAD_AT_ONCE
#define HOLDS_NO_LEASE(i) seen[i].seenIsThen
#else
#define HOLDS_NO_LEASE(i) (seen[i].seenIsThen && LONG_ENOUGH(seen[i].since))
#endif
#define IS_COUNTED(i) (!seen[i].isExpected || seen[i].hasConfirmed || HOLDS_NO_LEASE(i))
#if NODES > 1
#define ALL_COUNTED (IS_COUNTED(0) && IS_COUNTED(1))
#else
#define ALL_COUNTED IS_COUNTED(0)
#endif

active proctype Writer() {
  byte i;
  do
  :: atomic { LookAtAll() }
#ifdef WITH_SILENCE
  :: atomic { BeginToGiveUp(0) }
  :: atomic { GiveUp(0) }
#endif
  :: break
  od;
#ifdef WAIT_FROM_SEND
  isCounting = 1;
#else
  true;                             /* send */
#endif
  d_step {                          /* the script appends, and lists who is registered */
    hasE = 1;
    i = 0;
    do
    :: i < NODES ->
       seen[i].isExpected = record[i].listed;
#ifdef WITH_SILENCE
       seen[i].wasSeen = seen[i].isKnown && seen[i].isCurrent;
       seen[i].nowIsThen = record[i].listed;
#endif
       i++
    :: else -> break
    od;
    i = 0
  }
  d_step {                          /* the answer */
#ifndef WAIT_FROM_SEND
    answered = 0; isCounting = 1;
#endif
#ifdef WITH_SILENCE
    i = 0;
    do
    :: i < NODES ->
       if
       :: seen[i].isExpected ->
          if
          :: !seen[i].wasSeen -> seen[i].since = 0; seen[i].isCurrent = seen[i].nowIsThen
          :: else
          fi;
          seen[i].isKnown = 1; seen[i].seenIsThen = 1
       :: else
       fi;
       i++
    :: else -> break
    od;
#endif
    i = 0
  }
  do
  :: atomic { LookAtAll() }
#ifdef WITH_SILENCE
  :: atomic { BeginToGiveUp(0) }
  :: atomic { GiveUp(0) }
#endif
#ifdef WAIT_BY_WALL_CLOCK
  :: break                          /* somebody set it forward */
#endif
  :: LONG_ENOUGH(answered) || ALL_COUNTED -> break
  od;
  true;
  d_step {
    everywhere = 1;
    isCounting = 0; answered = 0;
    i = 0;
    do
    :: i < NODES ->
       seen[i].isKnown = 0; seen[i].isCurrent = 0; seen[i].since = 0; seen[i].isExpected = 0;
       seen[i].wasSeen = 0; seen[i].seenIsThen = 0; seen[i].nowIsThen = 0; seen[i].hasConfirmed = 0;
       seen[i].isGivenUp = 0; seen[i].isSameBeat = 0;
       i++
    :: else -> break
    od;
    i = 0
  }
}

init {
  byte i;
  atomic {
    do
    :: i < NODES ->
       node[i].lease = OVER; node[i].sent = OVER; node[i].held = OVER;
       run Feed(i); run Check(i);
       i++
    :: else -> break
    od
  }
}
