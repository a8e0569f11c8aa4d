namespace PoolApi.Jobs.AspNetCore.Problems;

/// <summary>The faults of one request, and the response that names them.</summary>
internal sealed class JobFaults(HttpContext context) : FieldFaults
{
    /// <summary>The response if anything is wrong. Read it when everything has been read.</summary>
    public IResult? Refusal => ByField is { } faults ? JobProblem.InvalidRequest(context, faults) : null;
}
