// Access privileges of leased databases. A clean clone has its template's, so a rewind takes back
// what is done here.

#include "privacy.h"

namespace testpool::privacy {

namespace {

Acl* acl_of(HeapTuple row, TupleDesc desc, Oid owner) {
    bool null = false;
    Datum acl = heap_getattr(row, Anum_pg_database_datacl, desc, &null);
    return null ? acldefault(OBJECT_DATABASE, owner) : DatumGetAclPCopy(acl);
}

void take_connect_from_all_but(Oid owner, Acl* acl) {
    for (AclItem& item : std::span(ACL_DAT(acl), ACL_NUM(acl)))
        if (item.ai_grantee != owner)
            item.ai_privs &= ~(ACL_CONNECT | ACL_GRANT_OPTION_FOR(ACL_CONNECT));
}

Acl* with_connect_for(Oid role, Oid owner, const Acl* acl) {
    AclItem item{};
    item.ai_grantee = role;
    item.ai_grantor = owner;
    ACLITEM_SET_RIGHTS(item, ACL_CONNECT);
    return aclupdate(acl, &item, ACL_MODECHG_ADD, owner, DROP_RESTRICT);
}

/// Else a role could be dropped that a row names.
void note_dependencies(Oid database, Oid owner, const Acl* before, const Acl* after) {
    Oid* old_roles = nullptr;
    Oid* new_roles = nullptr;
    int old_count = aclmembers(before, &old_roles);
    int new_count = aclmembers(after, &new_roles);
    updateAclDependencies(DatabaseRelationId, database, 0, owner, old_count, old_roles, new_count,
                          new_roles);
}

}  // namespace

HeapTuple for_role_alone(HeapTuple row, TupleDesc desc, Oid role) {
    auto* form = reinterpret_cast<Form_pg_database>(GETSTRUCT(row));
    Oid owner = form->datdba;
    Acl* before = acl_of(row, desc, owner);
    Acl* acl = aclcopy(before);
    take_connect_from_all_but(owner, acl);
    if (SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)))  // it may have been dropped
        acl = with_connect_for(role, owner, acl);
    note_dependencies(form->oid, owner, before, acl);
    int column = Anum_pg_database_datacl;
    Datum value = PointerGetDatum(acl);
    bool null = false;
    return heap_modify_tuple_by_cols(row, desc, 1, &column, &value, &null);
}

}  // namespace testpool::privacy
