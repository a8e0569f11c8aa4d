namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>
/// One thread of a scenario: its state and its store buffer. Between its first and its last step, a <see cref="Carrier"/> runs it.
/// Its explorer reuses it in all schedules.
/// </summary>
internal sealed class VirtualThread(Schedule schedule, int index)
{
    [ThreadStatic]
    private static VirtualThread? s_current;

    // Its stores that no other thread sees yet, in order.
    private readonly Stored[] _stores = new Stored[64];
    private int _first;
    private int _end;

    public int Index { get; } = index;

    /// <summary>The operating system's thread that runs it; null before its first step and after its last.</summary>
    public Carrier? Carrier { get; set; }

    /// <summary>The word it sleeps on; 0 if it does not sleep.</summary>
    public nint SleepsOn { get; set; }

    public int Yields { get; set; }

    public bool HasStores => _first != _end;

    /// <summary>The virtual thread that the calling thread runs; null if there is none, or if no schedule runs.</summary>
    public static VirtualThread? Current => s_current is { } current && current.Schedule.IsRunning ? current : null;

    public Schedule Schedule { get; } = schedule;

    /// <summary>Lets it continue, or start on a free carrier.</summary>
    public void Give() => (Carrier ?? Schedule.Assign(this)).Give();

    public void Await() => Carrier!.Await();

    /// <summary>The calling thread is its carrier from now on.</summary>
    public void Enter() => s_current = this;

    public void Store(Place place, int value) => Store(new Stored(StoredKind.Word, place, value, null));

    public void Store(Place place, bool value) => Store(new Stored(StoredKind.Flag, place, value ? 1 : 0, null));

    public void Store(Place place, object? value) => Store(new Stored(StoredKind.Reference, place, 0, value));

    /// <summary>A thread sees its own stores at once: it loads the newest one to that place.</summary>
    public int Load(Place place) => TryLoad(place, out Stored store) ? store.Value : place.Word;

    public bool LoadFlag(Place place) => TryLoad(place, out Stored store) ? store.Value != 0 : place.Flag;

    public object? LoadReference(Place place) => TryLoad(place, out Stored store) ? store.Reference : place.Reference;

    public void FlushOne()
    {
        if (_first == _end) return;
        Stored store = _stores[_first];
        switch (store.Kind)
        {
            case StoredKind.Word:
                store.Place.Word = store.Value;
                break;
            case StoredKind.Flag:
                store.Place.Flag = store.Value != 0;
                break;
            default:
                store.Place.Reference = store.Reference;
                break;
        }
        if (++_first == _end) Forget();
    }

    public void FlushAll()
    {
        while (_first != _end) FlushOne();
    }

    public void Forget()
    {
        _first = _end = 0;
        Schedule.NoteStores(this);
    }

    private void Store(Stored store)
    {
        if (_end == _stores.Length) FlushAll();
        _stores[_end++] = store;
        Schedule.NoteStores(this);
    }

    private bool TryLoad(Place place, out Stored store)
    {
        for (int i = _end - 1; i >= _first; i--)
        {
            store = _stores[i];
            if (store.Place.Offset == place.Offset && ReferenceEquals(store.Place.Item, place.Item)) return true;
        }
        store = default;
        return false;
    }

    private enum StoredKind
    {
        Word,
        Flag,
        Reference,
    }

    private readonly record struct Stored(StoredKind Kind, Place Place, int Value, object? Reference);
}

/// <summary>Unwinds the threads of a schedule that has failed.</summary>
internal sealed class ScheduleAbortedException : Exception;
