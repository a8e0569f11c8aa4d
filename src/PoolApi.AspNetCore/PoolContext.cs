using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Overload;
using PoolApi.Threading;

namespace PoolApi.AspNetCore;

/// <summary>A pool in the app: the threads, and what bounds the requests in front of them.</summary>
internal sealed class PoolContext(
    FixedThreadPool threads, PoolOptions options, TimeSpan maxQueueTime, TimeSpan maxRunTime, PoolRegistration registration, AnswerBudget answers, TimeProvider time)
{
    /// <summary>Why a request withdraws its work: its client has left. The metrics have it as an outcome.</summary>
    public const string ClientGone = "client_gone";

    public FixedThreadPool Threads => threads;

    /// <summary>The threads, as an admission control sees them.</summary>
    public IPoolAdmission Admission => threads;

    public PoolOptions Options => options;

    /// <summary>The longest time a request may wait, as the threads have it; or infinite.</summary>
    public TimeSpan MaxQueueTime => maxQueueTime;

    /// <summary>The longest time a request's work may run, as the threads have it; or infinite.</summary>
    public TimeSpan MaxRunTime => maxRunTime;

    /// <summary>What the app adds in code.</summary>
    public PoolRegistration Registration => registration;

    /// <summary>The bytes that the bodies of waiting requests hold.</summary>
    public ByteBudget Bodies { get; } = new(options.QueueBytes);

    /// <summary>The bytes of answers that clients have not read yet; of all pools of the app.</summary>
    public AnswerBudget Answers => answers;

    /// <summary>Brings requests whose work has ended back to the .NET ThreadPool.</summary>
    public HandBack HandBack { get; } = new();

    /// <summary>What the pool's answers say of their times.</summary>
    public ServerTimingValues ServerTimings { get; } = new();

    private OrderArbiter Order { get; } = new(((IPoolAdmission)threads).SetOrder);

    /// <summary>
    /// What is let in of one endpoint's requests while more comes than the pool can do: what its clients teach is no matter to the
    /// clients of another.
    /// </summary>
    /// <returns><see langword="null"/>: it is switched off.</returns>
    public OverloadControl? NewOverloadControl() =>
        options.OverloadControl ? new OverloadControl(Admission.EstimateQueueTime, Order.Join(), time) : null;
}
