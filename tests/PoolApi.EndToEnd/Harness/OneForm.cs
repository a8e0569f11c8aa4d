namespace PoolApi.EndToEnd.Harness;

/// <summary>Runs a theory against <c>ServiceForm.Any</c>, and in the long run against both forms. It is for what the two forms share: the other projects
/// of tests run the same code compiled just in time.</summary>
public sealed class OneForm : TheoryData<ServiceForm>
{
    /// <summary>Lists the form.</summary>
    public OneForm()
    {
        if (LongTests.Wanted) AddRange(ServiceForm.FrameworkDependent, ServiceForm.NativeAot);
        else Add(ServiceForm.Any);
    }
}
