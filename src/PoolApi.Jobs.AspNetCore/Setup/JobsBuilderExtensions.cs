using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Microsoft.AspNetCore.Http.Metadata;
using PoolApi.Jobs.AspNetCore;
using PoolApi.Jobs.AspNetCore.Handlers;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Handlers of jobs that come from code.</summary>
public static class JobsBuilderExtensions
{
    /// <summary>
    /// Adds the handler of jobs that <see cref="IJobs.EnqueueAsync"/> makes. Its parameters are the payload,
    /// services of the app, <c>JobContext</c> and <c>CancellationToken</c>, in any order, as those of a minimal API's handler. What it returns
    /// is the job's result.
    /// </summary>
    /// <typeparam name="T">The payload.</typeparam>
    /// <param name="jobs">The app's jobs.</param>
    /// <param name="kind">The kind of its jobs. It may not change while there are any.</param>
    /// <param name="handler">What runs.</param>
    /// <param name="configure">How its jobs run.</param>
    /// <param name="pool">The pool that it runs on; <see langword="null"/>: the one of <see cref="JobsOptions.Pool"/>.</param>
    /// <returns><paramref name="jobs"/>.</returns>
    /// <exception cref="ArgumentException">
    /// The kind is empty or white space; the handler has no parameter of the type <typeparamref name="T"/>; or the framework would read the payload from
    /// a query, such as a string or a Guid, and the parameter has no [FromBody].
    /// </exception>
    [RequiresUnreferencedCode("The handler's parameters are found by reflection.")]
    [RequiresDynamicCode("The handler is called by code that is generated as the app runs.")]
    public static JobsBuilder AddJob<T>(this JobsBuilder jobs, string kind, Delegate handler, Action<AllowJobsOptions>? configure = null, string? pool = null)
        where T : notnull
    {
        ArgumentNullException.ThrowIfNull(jobs);
        ArgumentException.ThrowIfNullOrWhiteSpace(kind);
        ArgumentNullException.ThrowIfNull(handler);
        ParameterInfo payload = Array.Find(handler.Method.GetParameters(), static p => p.ParameterType == typeof(T))
            ?? throw new ArgumentException($"The handler of the jobs '{kind}' has no parameter of the type {typeof(T).Name}.", nameof(handler));
        // The framework reads these types from a query, and a job from code has none.
        Type type = Nullable.GetUnderlyingType(typeof(T)) ?? typeof(T), parsed = type.MakeByRefType();
        bool isOfQuery = type == typeof(string) || type == typeof(Uri) || type.IsEnum
            || type.GetMethod("TryParse", [typeof(string), parsed]) is not null
            || type.GetMethod("TryParse", [typeof(string), typeof(IFormatProvider), parsed]) is not null;
        if (isOfQuery && !payload.GetCustomAttributes(inherit: false).Any(static a => a is IFromBodyMetadata))
        {
            throw new ArgumentException(
                $"The framework reads a {type.Name} from a query, and the jobs '{kind}' have none: write [FromBody] before this parameter of the handler.",
                nameof(handler));
        }
        jobs.Services.AddSingleton(new JobHandler(kind, typeof(T), handler, pool, configure));
        return jobs;
    }
}
