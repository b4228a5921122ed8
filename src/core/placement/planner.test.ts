/**
 * Placement in stories: a cluster, a line, and the whole plan with its reasons. story.ts says how
 * to read them.
 */
import { describe, expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { Planner } from './planner.ts';
import { carriedOut, readStory, tellPlan } from './story.ts';

const STORIES = `
# starts on the preferred node
node n1
node n2
group db nodes=n1,n2 sync=n1,n2
----
db: start n1
    n1: preferred first and in sync

# a group that runs well stays where it is, though another node is preferred
node n1
node n2
group db on=n2 nodes=n1,n2 sync=n1,n2
----
db: stay n2
    n2: runs here and stays; n1 is preferred, failback is off

# the owner is lost: the copy in sync takes over
node n1 lost
node n2
group db on=n1 nodes=n1,n2 sync=n1,n2
----
db: start n2 from n1
    n2: preferred second and in sync; its owner n1 is lost

# a stale copy never takes over
node n1 lost
node n2
group db on=n1 nodes=n1,n2 sync=n1
----
db: wait from n1
    nowhere: the only copy in sync is on n1, which is lost; next: bring n1 back

# with three copies, the first in order that is in sync takes over
node n1 lost
node n2
node n3
group db on=n1 nodes=n1,n2,n3 sync=n1,n3
----
db: start n3 from n1
    n3: preferred third and in sync; its owner n1 is lost; n2 has no copy in sync

# no copy is in sync at all
node n1
node n2
group db nodes=n1,n2 sync=
----
db: wait
    nowhere: no copy is in sync; next: bring one in sync

# all copies in sync are out of reach
node n1 lost
node n2 standby
node n3
group db on=n1 nodes=n1,n2,n3 sync=n1,n2
----
db: wait from n1
    nowhere: the copies in sync cannot be used: n1 is lost, n2 is in standby; next: bring n1
    back

# a suspect owner is waited for
node n1 suspect
node n2
group db on=n1 nodes=n1,n2 sync=n1,n2
----
db: wait n1
    n1: waits, its owner n1 is suspect and not yet lost

# an owner that was never heard of is waited for
node n1 unknown
node n2
group db on=n1 nodes=n1,n2 sync=n1,n2
----
db: wait n1
    n1: waits, its owner n1 has not been heard of since this node started

# an owner outside the configuration is waited for
node n2
group db on=n9 nodes=n2 sync=n2
----
db: wait
    nowhere: its owner is not in the configuration, so nobody can tell whether it still runs

# a stop without clear outcome: nothing is started elsewhere
node n1
node n2
group db on=n1 unsure nodes=n1,n2 sync=n1,n2
----
db: wait n1
    n1: waits, it is not known whether it has stopped on n1

# a suspect node is given nothing new
node n1 suspect
node n2
group db nodes=n1,n2
----
db: start n2
    n2: preferred second; n1 is suspect

# standby: groups leave
node n1 standby
node n2
group db on=n1 nodes=n1,n2 sync=n1,n2
----
db: move n2 from n1
    n2: preferred second and in sync; it leaves n1, which is in standby

# standby: what can go nowhere else stays and says so
node n1 standby
node n2
group db on=n1 nodes=n1,n2 sync=n1
----
db: stay n1
    n1: stays, though it should leave n1, which is in standby; no other copy is in sync; next:
    bring one in sync

# standby: what ran there last, and can go nowhere else, starts there again
node n1 standby
node n2
group db try=n1 nodes=n1,n2 sync=n1
----
db: start n1
    n1: preferred first and in sync

# standby: what ran there last goes elsewhere if it can
node n1 standby
node n2
group db try=n1 nodes=n1,n2 sync=n1,n2
----
db: start n2
    n2: preferred second and in sync; n1 is in standby

# standby drains a node, but displaces nobody for it
node n1 standby
node n2 memory=8
group big on=n1 nodes=n1,n2 memory=8 priority=5
group small on=n2 nodes=n2 memory=4
----
big: stay n1
    n1: stays, though it should leave n1, which is in standby; n2 has 4 memory left of 8
    wanted; next: make room on n2
small: stay n2
    n2: runs here and stays

# a ban moves a group away
node n1
node n2
group db on=n1 nodes=n1,n2 sync=n1,n2 ban=n1
----
db: move n2 from n1
    n2: preferred second and in sync; it leaves n1, which is banned for it

# a ban stops a group that may run nowhere else
node n1
node n2 lost
group db on=n1 nodes=n1,n2 sync=n1,n2 ban=n1
----
db: stop from n1
    nowhere: it leaves n1, which is banned for it; the only other copy in sync is on n2, which
    is lost; next: bring n2 back

# a ban that has ended is forgotten
now 1000
node n1
node n2
group db on=n1 nodes=n1,n2 ban=n1@1000
----
db: stay n1
    n1: runs here and stays

# a ban that has not ended counts
now 999
node n1
node n2
group db on=n1 nodes=n1,n2 ban=n1@1000
----
db: move n2 from n1
    n2: preferred second; it leaves n1, which is banned for it

# failed there: it moves
node n1
node n2
group db on=n1 nodes=n1,n2 failed=n1
----
db: move n2 from n1
    n2: preferred second; it leaves n1, which saw it fail lately

# failed everywhere: it stays where it runs
node n1
node n2
group db on=n1 nodes=n1,n2 failed=n1,n2
----
db: stay n1
    n1: stays, though it should leave n1, which saw it fail lately; n2 saw it fail lately;
    next: repair it on n2 and clear its failures

# failed there and stopped: it starts elsewhere
node n1
node n2
group db on=n1 stopped nodes=n1,n2 failed=n1
----
db: start n2
    n2: preferred second; n1 saw it fail lately

# a node in quarantine keeps what it has and gets nothing new
node n1 quarantined
node n2
group db on=n1 nodes=n1,n2
group web nodes=n1,n2
----
db: stay n1
    n1: runs here and stays
web: start n2
    n2: preferred second; n1 is in quarantine

# wanted offline: it stops, or stays stopped
node n1
node n2
group db offline on=n1 nodes=n1,n2
group web offline nodes=n1,n2
----
db: stop from n1
    wanted offline: stops on n1
web: stay
    wanted offline

# wanted offline on a suspect owner: nobody can tell
node n1 suspect
node n2
group db offline on=n1 nodes=n1,n2
----
db: wait n1
    n1: waits, its owner n1 is suspect and not yet lost

# maintenance of the cluster: nothing is touched, not even for a lost owner
cluster maintenance
node n1 lost
node n2
group db on=n1 nodes=n1,n2 sync=n1,n2
group old offline on=n2 nodes=n2
group web nodes=n2
----
db: wait from n1
    nowhere: the cluster is in maintenance
old: stay n2
    n2: left as it is, the cluster is in maintenance
web: wait
    nowhere: the cluster is in maintenance

# maintenance of a group
node n1 standby
node n2
group db maintenance on=n1 nodes=n1,n2
group web on=n1 nodes=n1,n2
----
db: stay n1
    n1: left as it is, it is in maintenance
web: move n2 from n1
    n2: preferred second; it leaves n1, which is in standby

# maintenance of a node: its groups wait, even while it is lost, and it is given nothing
node n1 maintenance lost
node n2
node n3 maintenance
group db on=n1 nodes=n1,n2
group web on=n3 nodes=n3,n2
group new nodes=n3,n2
----
db: wait from n1
    nowhere: its node n1 is in maintenance
new: start n2
    n2: preferred second; n3 is in maintenance
web: stay n3
    n3: left as it is, its node n3 is in maintenance

# failback is off unless asked for
node n1
node n2
group db on=n2 nodes=n1,n2 sync=n1,n2
----
db: stay n2
    n2: runs here and stays; n1 is preferred, failback is off

# failback when in sync
now 5000
node n1 healthy=1000
node n2
group db on=n2 nodes=n1,n2 sync=n1,n2 back=when-in-sync healthy-for=3000
----
db: move n1 from n2
    n1: preferred first and fit again; it fails back from n2

# no failback to a copy that is not in sync
node n1
node n2
group db on=n2 nodes=n1,n2 sync=n2 back=when-in-sync
----
db: stay n2
    n2: runs here and stays; it does not fail back: n1 has no copy in sync

# no failback before the node has been healthy for long enough
now 3999
node n1 healthy=1000
node n2
group db on=n2 nodes=n1,n2 sync=n1,n2 back=when-in-sync healthy-for=3000
----
db: stay n2
    n2: runs here and stays; it fails back to n1 when it has been healthy for long enough

# failback in an open window
node n1
node n2
group db on=n2 nodes=n1,n2 sync=n1,n2 back=open
----
db: move n1 from n2
    n1: preferred first and fit again; it fails back from n2

# no failback outside the window
node n1
node n2
group db on=n2 nodes=n1,n2 sync=n1,n2 back=closed
----
db: stay n2
    n2: runs here and stays; n1 is preferred, the time window is closed

# a failback displaces nobody
node n1 memory=8
node n2
group db on=n2 nodes=n1,n2 back=when-in-sync memory=8 priority=9
group low on=n1 nodes=n1,n2 memory=4
----
db: stay n2
    n2: runs here and stays; it fails back to n1 when there is room
low: stay n1
    n1: runs here and stays

# failbacks that make room for one another, in one plan
node n1 memory=8
node n2 memory=8
node n3
group a on=n3 nodes=n1,n2,n3 back=when-in-sync memory=8
group b on=n1 nodes=n2,n1 back=when-in-sync memory=8
----
a: move n1 from n3 (once b left)
    n1: preferred first and fit again; it fails back from n3
b: move n2 from n1
    n2: preferred first and fit again; it fails back from n1

# failback goes to the preferred node only
node n1 lost
node n2
node n3
group db on=n3 nodes=n1,n2,n3 back=when-in-sync
----
db: stay n3
    n3: runs here and stays; it does not fail back: n1 is lost

# a weaker standby takes what it can, the important first
node n1 lost
node n2 memory=10
group db on=n1 nodes=n1,n2 memory=8 priority=10
group web on=n1 nodes=n1,n2 memory=4 priority=5
group log on=n1 nodes=n1,n2 memory=2 priority=1
----
db: start n2 from n1
    n2: preferred second; its owner n1 is lost
web: wait from n1
    nowhere: n1 is lost, n2 has 2 memory left of 4 wanted; next: bring n1 back
log: start n2 from n1
    n2: preferred second; its owner n1 is lost

# a running group makes room for a more important one with nowhere else to go
node n1 lost
node n2 memory=8
node n3 memory=8
group db on=n1 nodes=n1,n2 memory=8 priority=10
group low on=n2 nodes=n2,n3 memory=8
----
db: start n2 from n1 (once low left)
    n2: preferred second; its owner n1 is lost; nothing else is left, so "low" must make room
low: move n3 from n2
    n3: preferred second; it makes room on n2 for "db", which is more important

# a displaced group with nowhere to go stops
node n1 lost
node n2 memory=8
group db on=n1 nodes=n1,n2 memory=8 priority=10
group low on=n2 nodes=n2 memory=8
----
db: start n2 from n1 (once low left)
    n2: preferred second; its owner n1 is lost; nothing else is left, so "low" must make room
low: stop from n2
    nowhere: it makes room on n2 for "db", which is more important; it has no other node;
    next: allow one

# nobody is displaced while there is another node
node n1 lost
node n2 memory=8
node n3 memory=8
group db on=n1 nodes=n1,n2,n3 memory=8 priority=10
group low on=n2 nodes=n2 memory=8
----
db: start n3 from n1
    n3: preferred third; its owner n1 is lost; n2 has 0 memory left of 8 wanted
low: stay n2
    n2: runs here and stays

# equals do not displace each other
node n1 lost
node n2 memory=8
group db on=n1 nodes=n1,n2 memory=8
group web on=n2 nodes=n2 memory=8
----
db: wait from n1
    nowhere: n1 is lost, n2 has 0 memory left of 8 wanted; next: bring n1 back
web: stay n2
    n2: runs here and stays

# only as many as needed are displaced, the least important first
node n1 lost
node n2 memory=12
group db on=n1 nodes=n1,n2 memory=6 priority=10
group a on=n2 nodes=n2 memory=4 priority=3
group b on=n2 nodes=n2 memory=4 priority=2
group c on=n2 nodes=n2 memory=4 priority=1
----
db: start n2 from n1 (once b, c left)
    n2: preferred second; its owner n1 is lost; nothing else is left, so "b", "c" must make
    room
a: stay n2
    n2: runs here and stays
b: stop from n2
    nowhere: it makes room on n2 for "db", which is more important; it has no other node;
    next: allow one
c: stop from n2
    nowhere: it makes room on n2 for "db", which is more important; it has no other node;
    next: allow one

# a big one may make it needless that a small one goes
node n1 lost
node n2 memory=12
group db on=n1 nodes=n1,n2 memory=8 priority=10
group big on=n2 nodes=n2 memory=8 priority=3
group small on=n2 nodes=n2 memory=4 priority=2
----
db: start n2 from n1 (once big left)
    n2: preferred second; its owner n1 is lost; nothing else is left, so "big" must make room
big: stop from n2
    nowhere: it makes room on n2 for "db", which is more important; it has no other node;
    next: allow one
small: stay n2
    n2: runs here and stays

# what is in maintenance is not displaced
node n1 lost
node n2 memory=8
group db on=n1 nodes=n1,n2 memory=8 priority=10
group low maintenance on=n2 nodes=n2 memory=8
----
db: wait from n1
    nowhere: n1 is lost, n2 has 0 memory left of 8 wanted; next: bring n1 back
low: stay n2
    n2: left as it is, it is in maintenance

# a unit that a node does not declare is not limited there
node n1 cpu=4
group db nodes=n1 memory=8 cpu=4
----
db: start n1
    n1: preferred first

# thousandths add up exactly
node n1 cpu=0.3
group a nodes=n1 cpu=0.1
group b nodes=n1 cpu=0.2
----
a: start n1
    n1: preferred first
b: start n1
    n1: preferred first

# together: placed as one, where all of them can run
node n1
node n2
group db nodes=n1,n2 sync=n2
group web nodes=n1,n2 together=db
----
db: start n2
    n2: preferred second and in sync; n1 has no copy in sync
web: start n2
    n2: preferred second and in sync; n1 has no copy in sync

# together: a chain moves as one
node n1 lost
node n2 memory=8
node n3 memory=16
group a on=n1 nodes=n1,n2,n3 memory=4 together=b
group b on=n1 nodes=n1,n2,n3 memory=4 together=c
group c on=n1 nodes=n1,n2,n3 memory=4
----
a: start n3 from n1
    n3: preferred third; its owner n1 is lost; n2 has 8 memory left of 12 wanted
b: start n3 from n1
    n3: preferred third; its owner n1 is lost; n2 has 8 memory left of 12 wanted
c: start n3 from n1
    n3: preferred third; its owner n1 is lost; n2 has 8 memory left of 12 wanted

# together: one that should leave takes the others with it
node n1
node n2
group db on=n1 nodes=n1,n2 failed=n1
group web on=n1 nodes=n1,n2 together=db
----
db: move n2 from n1
    n2: preferred second; it leaves n1, which saw it fail lately
web: move n2 from n1
    n2: preferred second; it goes together with "db": it leaves n1, which saw it fail lately

# together: no node takes both, so what runs goes on and the other waits
node n1
node n2
group db on=n1 nodes=n1
group web nodes=n2 together=db
----
db: stay n1
    n1: runs here and stays; no node takes it, together with "web"
web: wait
    nowhere: together with "db": n1 is not among its nodes; next: allow it on n1

# together: split ones are brought together where the more important runs
node n1
node n2
group db on=n1 nodes=n2,n1 priority=2
group web on=n2 nodes=n2,n1 together=db
----
db: stay n1
    n1: runs here and stays; n2 is preferred, failback is off
web: move n1 from n2
    n1: preferred second; it goes together with "db"

# together: whoever joins goes where the others are kept
node n1 maintenance
node n2
group db maintenance on=n2 nodes=n1,n2
group web nodes=n1,n2 together=db
----
db: stay n2
    n2: left as it is, it is in maintenance
web: start n2
    n2: preferred second; n1 is in maintenance

# apart: started on different nodes
node n1
node n2
group a nodes=n1,n2 apart=b
group b nodes=n1,n2
----
a: start n1
    n1: preferred first
b: start n2
    n2: preferred second; n1 has "a", from which it must be apart

# apart: on the only node left, the less important stops short
node n1 lost
node n2
group a on=n1 nodes=n1,n2 priority=5
group b on=n2 nodes=n1,n2 apart=a priority=1
----
a: start n2 from n1 (once b left)
    n2: preferred second; its owner n1 is lost; nothing else is left, so "b" must make room
b: stop from n2
    nowhere: it leaves n2, where "a" runs, from which it must be apart; n1 is lost; next:
    bring n1 back

# apart: two that run on one node part, the less important moves
node n1
node n2
group a on=n1 nodes=n1,n2 priority=5
group b on=n1 nodes=n1,n2 apart=a
----
a: stay n1
    n1: runs here and stays
b: move n2 from n1
    n2: preferred second; it leaves n1, where "a" runs, from which it must be apart

# softly apart: where there is a choice
node n1
node n2
group a nodes=n1,n2
group b nodes=n1,n2 softly-apart=a
----
a: start n1
    n1: preferred first
b: start n2
    n2: preferred second

# softly apart: together if there is no choice
node n1
node n2 lost
group a nodes=n1,n2
group b nodes=n1,n2 softly-apart=a
----
a: start n1
    n1: preferred first
b: start n1
    n1: preferred first

# softly apart moves nothing that runs
node n1
node n2
group a on=n1 nodes=n1,n2
group b on=n1 nodes=n1,n2 softly-apart=a
----
a: stay n1
    n1: runs here and stays
b: stay n1
    n1: runs here and stays

# after: started in order
node n1
group web nodes=n1 after=db
group db nodes=n1
----
db: start n1
    n1: preferred first
web: start n1 (after db)
    n1: preferred first

# after something that can run nowhere
node n1
node n2 lost
group web nodes=n1 after=db
group db nodes=n2
----
db: wait
    nowhere: n2 is lost; next: bring n2 back
web: wait
    nowhere: it comes after "db", which is not going to run; next: get "db" online

# after something that is wanted offline; what runs is not stopped for it
node n1
group web nodes=n1 after=db
group app on=n1 nodes=n1 after=db
group db offline nodes=n1
----
db: stay
    wanted offline
app: stay n1
    n1: runs here and stays
web: wait
    nowhere: it comes after "db", which is wanted offline; next: get "db" online

# what something important comes after is as important
node n1 memory=8
group web nodes=n1 memory=4 priority=9 after=db
group db nodes=n1 memory=4
group low nodes=n1 memory=4 priority=5
----
db: start n1
    n1: preferred first
web: start n1 (after db)
    n1: preferred first
low: wait
    nowhere: n1 has 0 memory left of 4 wanted; next: make room on n1

# a contradiction: together and apart
node n1
node n2
group a on=n1 nodes=n1,n2 together=b
group b nodes=n1,n2 together=c
group c nodes=n1,n2 apart=a
----
problem: "a" and "c" must run together, by way of others, and apart
a: stay n1
    n1: left as it is, "a" and "c" must run together, by way of others, and apart
b: wait
    nowhere: "a" and "c" must run together, by way of others, and apart
c: wait
    nowhere: "a" and "c" must run together, by way of others, and apart

# a contradiction: after in a circle
node n1
group a nodes=n1 after=b
group b nodes=n1 after=c
group c nodes=n1 after=a
group d nodes=n1 after=a
----
problem: "a" after "b" after "c" after "a" goes round in a circle
a: wait
    nowhere: "a" after "b" after "c" after "a" goes round in a circle
b: wait
    nowhere: "a" after "b" after "c" after "a" goes round in a circle
c: wait
    nowhere: "a" after "b" after "c" after "a" goes round in a circle
d: wait
    nowhere: "a" after "b" after "c" after "a" goes round in a circle

# a contradiction: a name that does not exist
node n1
group a nodes=n1 after=ghost
----
problem: "a" is after "ghost", which does not exist
a: wait
    nowhere: "a" is after "ghost", which does not exist

# what joins its unit goes with it where that fails back to, in one plan
node n1
node n2
group a nodes=n2,n1 back=when-in-sync
group b on=n1 nodes=n1,n2 back=when-in-sync together=a
----
a: start n2
    n2: preferred first and fit again
b: move n2 from n1
    n2: preferred first and fit again; it fails back from n1

# what a contradiction rests on is as important as it, also by way of others
node n1 standby memory=4
node n2 memory=4
group a on=n1 memory=3
group f memory=3
group d nodes=n2 after=e,f
group e nodes=n2 together=g
group g on=n1 nodes=n1 together=e priority=1 after=d
----
problem: "d" and what it is together with would have to start both before and after others
problem: "g" and what it is together with would have to start both before and after others
f: start n2
    n2: allowed
d: wait
    nowhere: "d" and what it is together with would have to start both before and after others
e: wait
    nowhere: "g" and what it is together with would have to start both before and after others
g: stay n1
    n1: left as it is, "g" and what it is together with would have to start both before and
    after others
a: stay n1
    n1: stays, though it should leave n1, which is in standby; n2 has 1 memory left of 3
    wanted; next: make room on n2

# a contradiction of units: each would have to be first
node n1
group a1 nodes=n1 together=a2 after=b1
group a2 nodes=n1
group b1 nodes=n1 together=b2
group b2 nodes=n1 after=a2
----
problem: "a2" and what it is together with would have to start both before and after others
problem: "b1" and what it is together with would have to start both before and after others
a2: wait
    nowhere: "a2" and what it is together with would have to start both before and after
    others
a1: wait
    nowhere: "a2" and what it is together with would have to start both before and after
    others
b1: wait
    nowhere: "b1" and what it is together with would have to start both before and after
    others
b2: wait
    nowhere: "b1" and what it is together with would have to start both before and after
    others

# everywhere: on each node that will do
node n1
node n2 standby
node n3 lost
node n4
group web everywhere allowed=n1,n2,n3,n4 ban=n4
----
web@n1: start
    n1: runs everywhere
web@n2: wait
    not on n2: n2 is in standby
web@n3: wait
    not on n3: n3 is lost
web@n4: wait
    not on n4: n4 is banned for it

# everywhere: leaves a standby node, for others have it
node n1 standby
node n2
group web everywhere runs=n1,n2 allowed=n1,n2
----
web@n1: stop
    not on n1, which is in standby
web@n2: stay
    n2: runs here and stays

# everywhere: the last one stays on a standby node and says so
node n1 standby
node n2 lost
group web everywhere runs=n1,n2 allowed=n1,n2
----
web@n1: stay
    n1: stays, though it should leave n1, which is in standby: no other node has it
web@n2: wait
    not on n2: n2 is lost

# everywhere: waits for a suspect node, stops where it may not be
node n1 suspect
node n2
node n3
group web everywhere runs=n1,n2 allowed=n1,n3
----
web@n1: wait
    n1: waits, n1 is suspect and not yet lost
web@n2: stop
    not on n2, which is not among its nodes
web@n3: start
    n3: runs everywhere

# everywhere: makes room on one node
node n1 lost
node n2 memory=8
node n3
group db on=n1 nodes=n1,n2 memory=8 priority=5
group web everywhere runs=n2,n3 allowed=n2,n3 memory=2
----
db: start n2 from n1 (once web left)
    n2: preferred second; its owner n1 is lost; nothing else is left, so "web" must make room
web@n2: stop
    not on n2: it makes room for something more important
web@n3: stay
    n3: runs here and stays

# a group leaves a node that is not among its nodes any more
node n1
node n2
group db on=n1 nodes=n2
----
db: move n2 from n1
    n2: preferred first; it leaves n1, which is not among its nodes

# allowed nodes that nobody preferred follow by name
node n3
node n2
node n1
group db prefers=n2 allowed=n3,n1,n2 ban=n2
----
db: start n1
    n1: allowed; n2 is banned for it
`;

const stories = STORIES.split(/^# /m)
  .slice(1)
  .map((text) => {
    const [title, ...lines] = text.trim().split('\n');
    const [given, expected] = lines.join('\n').split('\n----\n');
    return {
      title: must(title, 'a story has a title'),
      given: must(given, 'a story has a cluster'),
      expected: must(expected, 'a story has a plan'),
    };
  });

describe('stories', () => {
  test.each(stories)('$title', ({ given, expected }) => {
    const input = readStory(given);
    const plan = new Planner().plan(input);
    expect(tellPlan(plan)).toBe(expected);
    expect(new Planner().plan(carriedOut(input, plan)).steps).toEqual([]);
  });

  test('there are as many as were promised', () => {
    expect(stories.length).toBeGreaterThan(60);
  });
});

describe('a planner that keeps what it found', () => {
  const calm = 'node n1\nnode n2\ngroup db on=n1 nodes=n1,n2 sync=n1,n2';
  const lost = calm.replace('node n1', 'node n1 lost');

  test('follows its cluster to and fro', () => {
    const planner = new Planner();
    for (const story of [calm, lost, calm, lost]) {
      expect(planner.plan(readStory(story))).toEqual(new Planner().plan(readStory(story)));
    }
  });

  test('sees that another may not be displaced any more, and that it may again', () => {
    const free =
      'node n1 lost\nnode n2 memory=8\n' +
      'group db on=n1 nodes=n1,n2 memory=8 priority=10\ngroup low on=n2 nodes=n2 memory=8';
    const kept = free.replace('group low', 'group low maintenance');
    const planner = new Planner();
    for (const story of [free, kept, free, kept]) {
      expect(tellPlan(planner.plan(readStory(story)))).toBe(
        tellPlan(new Planner().plan(readStory(story))),
      );
    }
  });

  test('starts over when the configuration changes', () => {
    const planner = new Planner();
    planner.plan(readStory(calm));
    const other = `${lost}\nnode n3\ngroup web nodes=n3`;
    expect(planner.plan(readStory(other))).toEqual(new Planner().plan(readStory(other)));
    expect(planner.plan(readStory(calm))).toEqual(new Planner().plan(readStory(calm)));
  });

  test('says when time alone may change the plan', () => {
    const banned = 'now 10\nnode n1\nnode n2\ngroup db on=n1 nodes=n1,n2 ban=n1@500 ban=n2';
    expect(new Planner().plan(readStory(banned)).nextChangeAt).toBe(500);
    const healing =
      'now 10\nnode n1 healthy=5\nnode n2\n' +
      'group db on=n2 nodes=n1,n2 back=when-in-sync healthy-for=100';
    expect(new Planner().plan(readStory(healing)).nextChangeAt).toBe(105);
  });

  test('refuses what makes no sense', () => {
    expect(() => new Planner().plan(readStory('node n1\nnode n1'))).toThrow(
      'each node is given once',
    );
    expect(() => new Planner().plan(readStory('node n1\ngroup a nodes=n1 memory=-1'))).toThrow(
      'an amount is a number from 0',
    );
  });
});
