using Microsoft.AspNetCore.Http.HttpResults;

namespace PoolApi.Dashboard.Requests;

/// <summary>The faults of one request, and the response that names them.</summary>
internal sealed class RequestFaults(HttpContext context) : FieldFaults
{
    /// <summary>The response if anything is wrong. Read it when everything has been read.</summary>
    public ProblemHttpResult? Refusal => ByField is { } faults ? Problem.InvalidRequest(context, faults) : null;
}
