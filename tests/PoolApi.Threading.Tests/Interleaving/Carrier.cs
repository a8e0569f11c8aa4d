namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>
/// A thread of the operating system that runs the virtual threads of scenarios, one at a time and only while it holds the baton. When one
/// has ended, it can run one that has not started, without a switch.
/// </summary>
internal sealed class Carrier
{
    private readonly Schedule _schedule;
    private readonly Baton _baton = new();
    private readonly Thread _thread;

    public Carrier(Schedule schedule, int index, int core)
    {
        _schedule = schedule;
        _thread = new Thread(() => Main(core), 256 * 1024) { IsBackground = true, Name = $"explorer {core}.{index}" };
        _thread.UnsafeStart();
    }

    /// <summary>The virtual thread that it runs or is about to run.</summary>
    public VirtualThread? Runs { get; set; }

    public void Give() => _baton.Give();

    public void Await() => _baton.Await();

    public void Join() => _thread.Join();

    private void Main(int core)
    {
        Baton.KeepOnCore(core);
        while (true)
        {
            _baton.Await();
            if (_schedule.IsOver) return;
            for (VirtualThread? thread = Runs; thread is not null; thread = _schedule.PassOnAtEnd(thread)) Run(thread);
        }
    }

    private void Run(VirtualThread thread)
    {
        thread.Enter();
        try
        {
            _schedule.RunBody(thread);
        }
        catch (ScheduleAbortedException)
        {
            // The failure is already recorded.
        }
#pragma warning disable CA1031 // any exception is a finding
        catch (Exception e)
#pragma warning restore CA1031
        {
            _schedule.Note($"{_schedule.NameOf(thread)} threw {e}");
        }
    }
}
