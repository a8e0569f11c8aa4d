using PoolApi.AspNetCore.Overload;
using PoolApi.AspNetCore.Settings;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>One pool of the app: its threads, its options, and the budgets and overload control of its requests.</summary>
internal sealed class PoolContext(
    FixedThreadPool threads, PoolOptions options, TimeSpan maxQueueTime, TimeSpan maxRunTime, PoolRegistration registration, ResponseBudget responses, TimeProvider time)
{
    /// <summary>The reason of a request's withdrawal: its client has disconnected. The metrics show it as an outcome.</summary>
    public const string ClientGone = "client_gone";

    public FixedThreadPool Threads => threads;

    /// <summary>The pool's interface for admission control.</summary>
    public IPoolAdmission Admission => threads;

    public PoolOptions Options => options;

    /// <summary>The longest time a request may be queued, or infinite. Includes the changes that the app makes in code.</summary>
    public TimeSpan MaxQueueTime => maxQueueTime;

    /// <summary>The longest time a request's work may run, or infinite. Includes the changes that the app makes in code.</summary>
    public TimeSpan MaxRunTime => maxRunTime;

    /// <summary>The name, the section, and what the app configures in code.</summary>
    public PoolRegistration Registration => registration;

    /// <summary>The budget for the bodies of queued requests.</summary>
    public ByteBudget Bodies { get; } = new(options.QueueBytes);

    /// <summary>The budget for responses that clients have not read yet. All pools of the app share it.</summary>
    public ResponseBudget Responses => responses;

    /// <summary>Continues requests on the .NET ThreadPool when their work has ended.</summary>
    public RequestContinuations Continuations { get; set; } = new();

    /// <summary>The cached parts of the <c>Server-Timing</c> header.</summary>
    public ServerTimingValues ServerTimings { get; } = new();

    private OrderArbiter Order { get; } = new(((IPoolAdmission)threads).SetOrder);

    /// <summary>
    /// Creates the overload control of one endpoint. Each endpoint has its own, because the clients of one endpoint say nothing about the
    /// clients of another.
    /// </summary>
    /// <returns>The overload control; <see langword="null"/> if it is switched off.</returns>
    public OverloadControl? NewOverloadControl() =>
        options.OverloadControl ? new OverloadControl(Admission.EstimateQueueTime, Order.Join(), time) : null;
}
