using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// The queued items, one lane for each priority, each first in, first out by default; and which lane is next. Guarded by
/// the gate.
/// </summary>
/// <remarks>
/// Turns repeat after sixteen. Turn 15 looks at the low lane first, then normal, then high; turns 3, 7 and 11 at normal
/// first; the others at high first. So of any sixteen starts in a row at least one is low and at least three are normal,
/// while such items are queued. If only one lane has items, it has every turn.
/// </remarks>
internal struct Lanes
{
    private const int High = 0;
    private const int Normal = 1;
    private const int Low = 2;

    private ThreeLists _lanes;
    private uint _turn;

    /// <summary>Whether the newest item of each lane is next, instead of the oldest.</summary>
    public bool TakesNewestFirst { get; set; }

    public readonly int Count => _lanes[High].Count + _lanes[Normal].Count + _lanes[Low].Count;

    public readonly int CountOf(WorkPriority priority) => _lanes[LaneOf(priority)].Count;

    /// <summary>The item at the head of a lane: the oldest of its priority.</summary>
    public readonly PoolWorkItem? OldestOf(WorkPriority priority) => _lanes[LaneOf(priority)].First;

    /// <summary>
    /// Whether to sort the inbox before the next item is taken: at each turn that does not begin with the high lane, when the lanes have no high
    /// or normal item, and always with newest-first, since the newest items are in the inbox. (The submitter of a high item sorts the item in
    /// itself.) Not at the other turns, because a read of the inbox takes the submitters' cache line.
    /// </summary>
    public readonly bool WantsInbox => _turn % 4 == 3 || TakesNewestFirst || (_lanes[High].Count == 0 && _lanes[Normal].Count == 0);

    /// <summary>Adds pushed items, given newest first and linked by Previous, behind the items that are already queued.</summary>
    public void Append(ref ThreeLists batch)
    {
        for (int lane = 0; lane < 3; lane++) _lanes[lane].Append(ref batch[lane]);
    }

    /// <summary>The one turn in sixteen that begins with the low lane.</summary>
    public readonly bool IsLowTurn => _turn % 16 == 15;

    public readonly bool IsAllNormal => _lanes[High].Count == 0 && _lanes[Low].Count == 0;

    /// <summary>Takes the next item of normal priority out of turn. There must be one.</summary>
    public PoolWorkItem TakeNormal() => _lanes[Normal].RemoveFirst();

    public void PutBackNormal(PoolWorkItem item) => _lanes[Normal].AddFirst(item);

    public void PutBackNormal(ref WorkItemList items) => _lanes[Normal].Prepend(ref items);

    public void Remove(PoolWorkItem item) => _lanes[LaneOf(item.Priority)].Remove(item);

    public bool TryTake([NotNullWhen(true)] out PoolWorkItem? item)
    {
        uint turn = _turn % 16;
        int first = turn == 15 ? Low : turn % 4 == 3 ? Normal : High;
        if (_lanes[first].Count > 0) item = Take(first);
        else if (first == High) item = TakeEither(Normal, Low);
        else if (first == Normal) item = TakeEither(High, Low);
        else item = TakeEither(Normal, High);
        if (item is null) return false;
        _turn++; // only looks that took an item count as turns
        return true;
    }

    private PoolWorkItem? TakeEither(int lane, int other) =>
        _lanes[lane].Count > 0 ? Take(lane) : _lanes[other].Count > 0 ? Take(other) : null;

    private PoolWorkItem Take(int lane) => TakesNewestFirst ? _lanes[lane].RemoveLast() : _lanes[lane].RemoveFirst();

    public static int LaneOf(WorkPriority priority) => Normal - (int)priority;

    [InlineArray(3)]
    internal struct ThreeLists
    {
        private WorkItemList _first;
    }
}
