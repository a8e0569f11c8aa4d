using System.ComponentModel;
using System.Runtime.CompilerServices;

namespace PoolApi.Threading;

/// <content>
/// What <c>Run</c> is not for. Without these an asynchronous function would fit the synchronous forms, and <c>Run</c> would
/// return at its first <see langword="await"/>, with the task as its result and the rest of the work outside of the pool.
/// </content>
public sealed partial class FixedThreadPool
{
    private const string UseRunAsync =
        "Run is for synchronous work: give asynchronous work to RunAsync, and await it. (A lambda that never returns fits this too: cast it to Action.)";

    /// <summary>Does not compile: <c>Run</c> is for synchronous work.</summary>
    /// <param name="work">Asynchronous work, which <c>RunAsync</c> runs.</param>
    /// <param name="options">What to say about it.</param>
    /// <exception cref="NotSupportedException">Always.</exception>
    [Obsolete(UseRunAsync, error: true), EditorBrowsable(EditorBrowsableState.Never)]
    [OverloadResolutionPriority(TakesToken + IsTask)]
    public void Run<TResult>(Func<CancellationToken, Task<TResult>> work, WorkOptions options = default) =>
        throw new NotSupportedException(UseRunAsync);

    /// <summary>Does not compile: <c>Run</c> is for synchronous work.</summary>
    /// <param name="work">Asynchronous work, which <c>RunAsync</c> runs.</param>
    /// <param name="options">What to say about it.</param>
    /// <exception cref="NotSupportedException">Always.</exception>
    [Obsolete(UseRunAsync, error: true), EditorBrowsable(EditorBrowsableState.Never)]
    [OverloadResolutionPriority(IsTask)]
    public void Run<TResult>(Func<Task<TResult>> work, WorkOptions options = default) =>
        throw new NotSupportedException(UseRunAsync);

    /// <summary>Does not compile: <c>Run</c> is for synchronous work.</summary>
    /// <param name="work">Asynchronous work, which <c>RunAsync</c> runs.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it.</param>
    /// <exception cref="NotSupportedException">Always.</exception>
    [Obsolete(UseRunAsync, error: true), EditorBrowsable(EditorBrowsableState.Never)]
    [OverloadResolutionPriority(IsTask)]
    public void Run<TState, TResult>(Func<TState, Task<TResult>> work, TState state, WorkOptions options = default) =>
        throw new NotSupportedException(UseRunAsync);

    /// <summary>Does not compile: <c>Run</c> is for synchronous work.</summary>
    /// <param name="work">Asynchronous work, which <c>RunAsync</c> runs.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it.</param>
    /// <exception cref="NotSupportedException">Always.</exception>
    [Obsolete(UseRunAsync, error: true), EditorBrowsable(EditorBrowsableState.Never)]
    [OverloadResolutionPriority(IsTask)]
    public void Run<TState, TResult>(Func<TState, CancellationToken, Task<TResult>> work, TState state, WorkOptions options = default) =>
        throw new NotSupportedException(UseRunAsync);

    /// <summary>Does not compile: <c>Run</c> is for synchronous work.</summary>
    /// <param name="work">Asynchronous work, which <c>RunAsync</c> runs.</param>
    /// <param name="options">What to say about it.</param>
    /// <exception cref="NotSupportedException">Always.</exception>
    [Obsolete(UseRunAsync, error: true), EditorBrowsable(EditorBrowsableState.Never)]
    [OverloadResolutionPriority(TakesToken + IsTask)]
    public void Run(Func<CancellationToken, Task> work, WorkOptions options = default) =>
        throw new NotSupportedException(UseRunAsync);

    /// <summary>Does not compile: <c>Run</c> is for synchronous work.</summary>
    /// <param name="work">Asynchronous work, which <c>RunAsync</c> runs.</param>
    /// <param name="options">What to say about it.</param>
    /// <exception cref="NotSupportedException">Always.</exception>
    [Obsolete(UseRunAsync, error: true), EditorBrowsable(EditorBrowsableState.Never)]
    [OverloadResolutionPriority(IsTask)]
    public void Run(Func<Task> work, WorkOptions options = default) =>
        throw new NotSupportedException(UseRunAsync);

    /// <summary>Does not compile: <c>Run</c> is for synchronous work.</summary>
    /// <param name="work">Asynchronous work, which <c>RunAsync</c> runs.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it.</param>
    /// <exception cref="NotSupportedException">Always.</exception>
    [Obsolete(UseRunAsync, error: true), EditorBrowsable(EditorBrowsableState.Never)]
    [OverloadResolutionPriority(IsTask)]
    public void Run<TState>(Func<TState, Task> work, TState state, WorkOptions options = default) =>
        throw new NotSupportedException(UseRunAsync);

    /// <summary>Does not compile: <c>Run</c> is for synchronous work.</summary>
    /// <param name="work">Asynchronous work, which <c>RunAsync</c> runs.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it.</param>
    /// <exception cref="NotSupportedException">Always.</exception>
    [Obsolete(UseRunAsync, error: true), EditorBrowsable(EditorBrowsableState.Never)]
    [OverloadResolutionPriority(IsTask)]
    public void Run<TState>(Func<TState, CancellationToken, Task> work, TState state, WorkOptions options = default) =>
        throw new NotSupportedException(UseRunAsync);

    /// <summary>Does not compile: <c>Run</c> is for synchronous work.</summary>
    /// <param name="work">Asynchronous work, which <c>RunAsync</c> runs.</param>
    /// <param name="options">What to say about it.</param>
    /// <exception cref="NotSupportedException">Always.</exception>
    [Obsolete(UseRunAsync, error: true), EditorBrowsable(EditorBrowsableState.Never)]
    [OverloadResolutionPriority(TakesToken)]
    public void Run<TResult>(Func<CancellationToken, ValueTask<TResult>> work, WorkOptions options = default) =>
        throw new NotSupportedException(UseRunAsync);

    /// <summary>Does not compile: <c>Run</c> is for synchronous work.</summary>
    /// <param name="work">Asynchronous work, which <c>RunAsync</c> runs.</param>
    /// <param name="options">What to say about it.</param>
    /// <exception cref="NotSupportedException">Always.</exception>
    [Obsolete(UseRunAsync, error: true), EditorBrowsable(EditorBrowsableState.Never)]
    public void Run<TResult>(Func<ValueTask<TResult>> work, WorkOptions options = default) =>
        throw new NotSupportedException(UseRunAsync);

    /// <summary>Does not compile: <c>Run</c> is for synchronous work.</summary>
    /// <param name="work">Asynchronous work, which <c>RunAsync</c> runs.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it.</param>
    /// <exception cref="NotSupportedException">Always.</exception>
    [Obsolete(UseRunAsync, error: true), EditorBrowsable(EditorBrowsableState.Never)]
    public void Run<TState, TResult>(Func<TState, ValueTask<TResult>> work, TState state, WorkOptions options = default) =>
        throw new NotSupportedException(UseRunAsync);

    /// <summary>Does not compile: <c>Run</c> is for synchronous work.</summary>
    /// <param name="work">Asynchronous work, which <c>RunAsync</c> runs.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it.</param>
    /// <exception cref="NotSupportedException">Always.</exception>
    [Obsolete(UseRunAsync, error: true), EditorBrowsable(EditorBrowsableState.Never)]
    public void Run<TState, TResult>(Func<TState, CancellationToken, ValueTask<TResult>> work, TState state, WorkOptions options = default) =>
        throw new NotSupportedException(UseRunAsync);

    /// <summary>Does not compile: <c>Run</c> is for synchronous work.</summary>
    /// <param name="work">Asynchronous work, which <c>RunAsync</c> runs.</param>
    /// <param name="options">What to say about it.</param>
    /// <exception cref="NotSupportedException">Always.</exception>
    [Obsolete(UseRunAsync, error: true), EditorBrowsable(EditorBrowsableState.Never)]
    [OverloadResolutionPriority(TakesToken)]
    public void Run(Func<CancellationToken, ValueTask> work, WorkOptions options = default) =>
        throw new NotSupportedException(UseRunAsync);

    /// <summary>Does not compile: <c>Run</c> is for synchronous work.</summary>
    /// <param name="work">Asynchronous work, which <c>RunAsync</c> runs.</param>
    /// <param name="options">What to say about it.</param>
    /// <exception cref="NotSupportedException">Always.</exception>
    [Obsolete(UseRunAsync, error: true), EditorBrowsable(EditorBrowsableState.Never)]
    public void Run(Func<ValueTask> work, WorkOptions options = default) =>
        throw new NotSupportedException(UseRunAsync);

    /// <summary>Does not compile: <c>Run</c> is for synchronous work.</summary>
    /// <param name="work">Asynchronous work, which <c>RunAsync</c> runs.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it.</param>
    /// <exception cref="NotSupportedException">Always.</exception>
    [Obsolete(UseRunAsync, error: true), EditorBrowsable(EditorBrowsableState.Never)]
    public void Run<TState>(Func<TState, ValueTask> work, TState state, WorkOptions options = default) =>
        throw new NotSupportedException(UseRunAsync);

    /// <summary>Does not compile: <c>Run</c> is for synchronous work.</summary>
    /// <param name="work">Asynchronous work, which <c>RunAsync</c> runs.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="options">What to say about it.</param>
    /// <exception cref="NotSupportedException">Always.</exception>
    [Obsolete(UseRunAsync, error: true), EditorBrowsable(EditorBrowsableState.Never)]
    public void Run<TState>(Func<TState, CancellationToken, ValueTask> work, TState state, WorkOptions options = default) =>
        throw new NotSupportedException(UseRunAsync);
}
