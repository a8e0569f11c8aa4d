using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Extensions.Primitives;
using PoolApi.Jobs.AspNetCore;
using PoolApi.Jobs.AspNetCore.Endpoints;
using PoolApi.Jobs.AspNetCore.Intake;
using PoolApi.Jobs.AspNetCore.Requests;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Lets the requests of an endpoint become jobs.</summary>
public static class AllowJobsExtensions
{
    /// <summary>
    /// Lets a client ask for a job instead of a response: a request with <c>Prefer: respond-async</c> is stored and answered 202, and one with
    /// an <c>Idempotency-Key</c> runs once, however often it is sent. Other requests are served as before. The jobs run
    /// on the endpoint's own pool (<c>RunOnPool</c>, before or after this call).
    /// </summary>
    /// <remarks>
    /// A request is stored after it has been bound, and after each endpoint filter that was added before <c>RunOnPool</c> has let it through: a
    /// wrong request is refused, and becomes no job. The job goes through the same filters.
    /// </remarks>
    /// <param name="endpoint">The endpoint.</param>
    /// <param name="kind">The kind of its jobs, by which they are listed and found again: it may not change while there are any. The kind of the endpoint's work if not given.</param>
    /// <param name="configure">Changes the options.</param>
    /// <returns>The endpoint.</returns>
    /// <exception cref="ArgumentException">A header must not be stored, or an option is out of its range.</exception>
    public static RouteHandlerBuilder AllowJobs(this RouteHandlerBuilder endpoint, string? kind = null, Action<AllowJobsOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        if (kind is not null) ArgumentException.ThrowIfNullOrWhiteSpace(kind);
        var options = new AllowJobsOptions();
        configure?.Invoke(options);
        endpoint.WithMetadata(new AllowJobsMetadata(kind, options), RequestIntake.Instance);
        endpoint.Finally(AddWhatJobsRead);
        return endpoint;
    }

    /// <summary>After the parameters of the endpoint itself: generators use this order for the parameters of a client's method.</summary>
    private static void AddWhatJobsRead(EndpointBuilder endpoint)
    {
        if (endpoint.ApplicationServices.GetService<JobKinds>() is null)
            throw new InvalidOperationException($"The endpoint '{endpoint.DisplayName}' allows jobs, and the app has none: call services.AddJobs().");
        if (endpoint.Metadata.Any(static m => m is JobQueryParameter)) return; // AllowJobs was called twice
        if (FindTaken(endpoint) is { } taken)
        {
            throw new InvalidOperationException(
                $"The endpoint '{endpoint.DisplayName}' allows jobs, which have an option '{taken}' in the query, and reads a parameter of its own from there: "
                + "give it another name.");
        }
        foreach (PoolApi.RequestParameter parameter in JobParameters.All.Where(static p => p.IsInQuery)) endpoint.Metadata.Add(new JobQueryParameter(parameter.Name));
        var last = new LateConventions();
        last.AddOpenApiOperationTransformer(AllowJobsDocs.DescribeAsync);
        last.ApplyTo(endpoint);
    }

    /// <summary>The endpoint's own parameter in the query that has the name of an option of jobs. A value would be meant for both.</summary>
    private static string? FindTaken(EndpointBuilder endpoint) => endpoint.Metadata.OfType<IParameterBindingMetadata>()
        .Select(own => NameInQuery(own, endpoint))
        .FirstOrDefault(static name => JobParameters.All.Any(of => of.IsInQuery && of.Name.Equals(name, StringComparison.OrdinalIgnoreCase)));

    /// <summary>The name by which the framework reads a parameter from the query; <see langword="null"/> if it reads it from elsewhere.</summary>
    private static string? NameInQuery(IParameterBindingMetadata parameter, EndpointBuilder endpoint)
    {
        object[] attributes = parameter.ParameterInfo.GetCustomAttributes(inherit: false);
        if (attributes.OfType<IFromQueryMetadata>().FirstOrDefault() is { } query) return query.Name ?? parameter.Name;
        if (attributes.Any(static a => a is IFromRouteMetadata or IFromHeaderMetadata or IFromBodyMetadata or IFromFormMetadata or IFromServiceMetadata))
            return null;
        Type type = parameter.ParameterInfo.ParameterType;
        bool isText = type == typeof(string) || (parameter.HasTryParse && !parameter.HasBindAsync);
        // If the endpoint reads the list from the body, it is not a query parameter.
        bool isList = (type.IsArray || type == typeof(StringValues)) && !endpoint.Metadata.OfType<IAcceptsMetadata>().Any(body => body.RequestType == type);
        bool isInPath = (endpoint as RouteEndpointBuilder)?.RoutePattern.GetParameter(parameter.Name) is not null;
        return (isText || isList) && !isInPath ? parameter.Name : null;
    }

    /// <summary>Conventions that are applied by a call, at the end.</summary>
    private sealed class LateConventions : IEndpointConventionBuilder
    {
        private readonly List<Action<EndpointBuilder>> _conventions = [];

        public void Add(Action<EndpointBuilder> convention) => _conventions.Add(convention);

        public void ApplyTo(EndpointBuilder endpoint)
        {
            foreach (Action<EndpointBuilder> convention in _conventions) convention(endpoint);
        }
    }
}
